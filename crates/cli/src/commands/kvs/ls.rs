//! `flux kvs ls`: names in columns, as ls(1) shows files.

use proto::data::Tree;
use proto::data::treeobj::Dir;
use proto::kvs::{READDIR, TREEOBJ};
use proto::{Errno, Refusal};

use super::at::{NamespaceArg, Store, columns, why};
use command::error::CliError;
use command::flux::Flux;
use command::plain::Plain;

/// Blanks after the longest name of a listing.
const GAP: usize = 4;

/// List directories
#[derive(clap::Args)]
pub struct Ls {
    #[command(flatten)]
    namespace: NamespaceArg,
    /// List subdirectories too
    #[arg(short = 'R', long)]
    recursive: bool,
    /// List the keys themselves, not the contents of directories
    #[arg(short, long)]
    directory: bool,
    /// Fill lines of N columns (0 = no limit)
    #[arg(short, long, value_name = "COLUMNS")]
    width: Option<usize>,
    /// Print one name per line
    #[arg(short = '1', long = "1")]
    one: bool,
    /// Mark directories with . and links with @
    #[arg(short = 'F', long)]
    classify: bool,
    /// Keys to list; the root if none is given
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
}

impl Ls {
    pub fn run(mut self, flux: &mut Flux) -> Result<(), CliError> {
        if self.keys.is_empty() {
            self.keys.push(".".to_owned());
        }
        let mut store = self.namespace.connect(flux)?;
        let (mut names, mut dirs, mut failed) = (Vec::new(), Vec::new(), false);
        for key in &self.keys {
            match self.look_at(&mut store, key) {
                Ok(Seen::Name(name)) => names.push(name),
                Ok(Seen::Dir(entries)) => dirs.push((key.clone(), entries)),
                Err(errno) => {
                    failed = true;
                    let why = why(key, &Refusal::bare(errno));
                    flux.note(format_args!("{key}: {why}"))?;
                }
            }
        }
        names.sort_unstable();
        dirs.sort_by(|a, b| a.0.cmp(&b.0));
        let listing = Listing {
            ls: &self,
            columns: columns(self.width, flux),
            plain: flux.plain(),
            is_labelled: self.recursive || names.len() + dirs.len() > 1 || failed,
        };
        listing.print(flux, &mut store, names, dirs)?;
        match failed {
            true => Err(CliError::exit(1)),
            false => Ok(()),
        }
    }

    /// Looks up a key of the command line. A dot at its end asks for a directory.
    fn look_at(&self, store: &mut Store, key: &str) -> Result<Seen, Errno> {
        let must_be_dir = key.len() > 1 && key.ends_with('.');
        let errno = |refusal: Refusal| refusal.errno;
        let tree = store.lookup(key, TREEOBJ).map_err(errno)?;
        let may_lead_to_dir = matches!(tree, Tree::Symlink { .. }) && !self.directory;
        if tree.is_dir() && self.directory {
            return Ok(Seen::Name(self.name(key, &tree)));
        }
        if tree.is_dir() || may_lead_to_dir || must_be_dir {
            match store.lookup(key, READDIR) {
                Ok(Tree::Dir(entries)) => return Ok(Seen::Dir(entries)),
                Err(refusal) if tree.is_dir() || must_be_dir => return Err(refusal.errno),
                _ => {}
            }
        }
        Ok(Seen::Name(self.name(key, &tree)))
    }

    /// A name as it is listed.
    fn name(&self, name: &str, tree: &Tree) -> String {
        let mark = match tree {
            _ if !self.classify => "",
            Tree::Dir(_) | Tree::DirRef(_) => ".",
            Tree::Symlink { .. } => "@",
            _ => "",
        };
        format!("{name}{mark}")
    }
}

enum Seen {
    Name(String),
    Dir(Dir),
}

struct Listing<'a> {
    ls: &'a Ls,
    columns: Option<usize>,
    is_labelled: bool,
    plain: Plain,
}

impl Listing<'_> {
    fn print(
        &self,
        flux: &mut Flux,
        store: &mut Store,
        names: Vec<String>,
        dirs: Vec<(String, Dir)>,
    ) -> Result<(), CliError> {
        let mut is_first = names.is_empty();
        flux.out.write_all(self.rows(&names).as_bytes())?;
        // Depth first, without recursion: a tree may be deeper than our stack.
        let mut stack: Vec<(String, Option<Dir>)> = dirs
            .into_iter()
            .rev()
            .map(|(key, entries)| (key, Some(entries)))
            .collect();
        while let Some((key, entries)) = stack.pop() {
            let entries = match entries {
                Some(entries) => entries,
                None => read_dir(store, &key)?,
            };
            if self.is_labelled {
                if !is_first {
                    writeln!(flux.out)?;
                }
                flux.line(format_args!("{key}:"))?;
            }
            is_first = false;
            let names: Vec<String> = entries
                .iter()
                .map(|(name, tree)| self.ls.name(name, tree))
                .collect();
            flux.out.write_all(self.rows(&names).as_bytes())?;
            if self.ls.recursive {
                let below = entries.iter().rev().filter(|(_, tree)| tree.is_dir());
                stack.extend(below.map(|(name, _)| (join(&key, name), None)));
            }
        }
        Ok(())
    }

    /// Names in rows of equal columns.
    fn rows(&self, names: &[String]) -> String {
        let plain = self.plain;
        let names: Vec<_> = names.iter().map(|name| plain.line(name)).collect();
        let longest = names
            .iter()
            .map(|name| name.chars().count())
            .max()
            .unwrap_or(0);
        let column = longest + GAP;
        let in_a_row = match self.columns {
            _ if self.ls.one => 1,
            Some(columns) => (columns / column).max(1),
            None => names.len().max(1),
        };
        let mut rows = String::new();
        for row in names.chunks(in_a_row) {
            let padded: Vec<String> = row.iter().map(|name| format!("{name:<column$}")).collect();
            rows.push_str(padded.concat().trim_end());
            rows.push('\n');
        }
        rows
    }
}

/// The entries of a directory. One that has just been removed is empty.
fn read_dir(store: &mut Store, key: &str) -> Result<Dir, CliError> {
    match store.lookup(key, READDIR) {
        Ok(Tree::Dir(entries)) => Ok(entries),
        Ok(_) => Ok(Dir::new()),
        Err(refusal) if refusal.errno == Errno::ENOENT => Ok(Dir::new()),
        Err(refusal) => Err(CliError::from(refusal).about(key)),
    }
}

/// The key of an entry of a directory.
pub fn join(dir: &str, name: &str) -> String {
    match dir.trim_end_matches('.') {
        "" => name.to_owned(),
        dir => format!("{dir}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        ls: Ls,
    }

    fn check(options: &str, columns: Option<usize>, names: &str, expect: &str) {
        let words = std::iter::once("ls").chain(options.split_whitespace());
        let ls = Line::try_parse_from(words).unwrap().ls;
        let listing = Listing {
            ls: &ls,
            columns,
            is_labelled: false,
            plain: Plain::default(),
        };
        let names: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
        assert_eq!(listing.rows(&names), expect);
    }

    #[test]
    fn names_stand_in_columns() {
        check(
            "",
            Some(80),
            "admin job resource",
            "admin       job         resource\n",
        );
        check("", Some(20), "a bb c d e", "a     bb    c\nd     e\n");
        check("", Some(3), "long longer", "long\nlonger\n");
        check("", None, "a b c", "a    b    c\n");
        check("-1", None, "a b", "a\nb\n");
        check("", Some(80), "", "");
    }

    #[test]
    fn keys_are_joined_by_one_dot() {
        for (dir, key) in [(".", "x"), ("a", "a.x"), ("a.b.", "a.b.x")] {
            assert_eq!(join(dir, "x"), key);
        }
    }
}
