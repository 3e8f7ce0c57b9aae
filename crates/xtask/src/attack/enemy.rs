//! A connection below all libraries: sends messages that no library would, as any user.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use wire::{Kind, Message, Role, StreamDecoder, encode_stream};

use crate::site::Site;

/// Attacker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Another user, as the kernel says.
    Guest,
    /// The owner's connection that stamps its messages as another user's.
    StampedGuest,
    /// The owner.
    Owner,
}

/// The user that a guest is.
pub const GUEST: u32 = 65534;

/// Time limit of an answer that must come.
const PATIENCE: Duration = Duration::from_secs(20);

impl Who {
    /// Users that are possible: only root can act as another user.
    pub fn all(site: &Site) -> Vec<Who> {
        let mut all = vec![Who::StampedGuest, Who::Owner];
        if Enemy::connect(site, Who::Guest).is_ok() {
            all.push(Who::Guest);
        }
        all
    }

    /// True if it is not the owner.
    pub fn is_guest(self) -> bool {
        self != Who::Owner
    }
}

/// One connection.
pub struct Enemy {
    who: Who,
    stream: UnixStream,
    decoder: StreamDecoder,
}

impl Enemy {
    /// Connects and waits to be let in.
    pub fn connect(site: &Site, who: Who) -> Result<Enemy> {
        let path = PathBuf::from(site.uri().trim_start_matches("local://"));
        let connect = move || -> Result<UnixStream> {
            if who == Who::Guest {
                let uid = rustix::process::Uid::from_raw(GUEST);
                // Of this thread alone, which ends with the connection made.
                rustix::thread::set_thread_res_uid(uid, uid, uid)?;
            }
            Ok(UnixStream::connect(path)?)
        };
        let thread = std::thread::spawn(connect);
        let mut stream = thread.join().ok().context("a connection panicked")??;
        stream.set_read_timeout(Some(Duration::from_millis(200)))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut byte = [1];
        stream.read_exact(&mut byte)?;
        ensure!(byte == [0], "not let in");
        Ok(Enemy {
            who,
            stream,
            decoder: StreamDecoder::default(),
        })
    }

    /// Sends a message in its own name.
    pub fn send(&mut self, mut message: Message) {
        if self.who == Who::StampedGuest {
            (message.userid, message.rolemask) = (GUEST, Role::USER);
        }
        let mut bytes = Vec::new();
        encode_stream(&message, &mut bytes);
        self.send_bytes(&bytes);
    }

    /// Sends bytes as they are. Being cut off is no failure of ours.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Takes responses until `is_done` returns true for one; false when time is up or the
    /// connection has ended.
    pub fn take(&mut self, mut is_done: impl FnMut(u32, u32) -> bool) -> bool {
        let end = Instant::now() + PATIENCE;
        let mut buffer = vec![0; 1 << 16];
        loop {
            while let Ok(Some(message)) = self.decoder.next_message() {
                if let Kind::Response { errnum, matchtag } = message.kind
                    && is_done(matchtag, errnum)
                {
                    return true;
                }
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(n) if self.decoder.push(&buffer[..n]).is_err() => return false,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
            if Instant::now() >= end {
                return false;
            }
        }
    }
}
