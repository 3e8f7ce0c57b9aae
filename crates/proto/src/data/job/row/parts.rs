//! The parts of a row that many jobs have in common, as bytes that are read in place: equal
//! parts have equal bytes, so that they can be stored once.

use super::bytes::{Reader, put_bytes, put_number, put_signed};

/// Resources requested by a job. Fields are `None` where its jobspec does not set them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Asked<'a> {
    /// Job name.
    pub name: Option<&'a str>,
    /// Queue.
    pub queue: Option<&'a str>,
    /// Working directory.
    pub cwd: Option<&'a str>,
    /// Project.
    pub project: Option<&'a str>,
    /// Bank.
    pub bank: Option<&'a str>,
    /// Number of tasks.
    pub ntasks: Option<u64>,
    /// Number of cores, unless whole nodes are requested.
    pub ncores: Option<u64>,
    /// Number of nodes, if requested.
    pub nnodes: Option<u64>,
    /// N tasks for each allocated core.
    pub per_core: Option<u64>,
    /// N tasks for each allocated node.
    pub per_node: Option<u64>,
    /// Time limit in seconds.
    pub duration: Option<f64>,
}

impl<'a> Asked<'a> {
    fn texts(&self) -> [Option<&'a str>; 5] {
        [self.name, self.queue, self.cwd, self.project, self.bank]
    }

    fn numbers(&self) -> [Option<u64>; 6] {
        [
            self.ntasks,
            self.ncores,
            self.nnodes,
            self.per_core,
            self.per_node,
            self.duration.map(f64::to_bits),
        ]
    }

    /// Encodes the part.
    pub fn encode(&self) -> Vec<u8> {
        let (texts, numbers) = (self.texts(), self.numbers());
        let mut out = Vec::with_capacity(64);
        out.push(presence(&texts));
        for text in texts.into_iter().flatten() {
            put_bytes(&mut out, text.as_bytes());
        }
        out.push(presence(&numbers));
        for number in numbers.into_iter().flatten() {
            put_number(&mut out, number);
        }
        out
    }

    /// Decodes the part.
    pub fn decode(bytes: &'a [u8]) -> Option<Asked<'a>> {
        let mut reader = Reader::new(bytes);
        let [name, queue, cwd, project, bank] = some(&mut reader, Reader::text)?;
        let [ntasks, ncores, nnodes, per_core, per_node, duration] =
            some(&mut reader, Reader::number)?;
        reader.is_empty().then_some(Asked {
            name,
            queue,
            cwd,
            project,
            bank,
            ntasks,
            ncores,
            nnodes,
            per_core,
            per_node,
            duration: duration.map(f64::from_bits),
        })
    }

    /// Name and queue of the encoded part: they are first, and a walk over many jobs reads
    /// nothing else.
    pub fn name_and_queue(bytes: &'a [u8]) -> (Option<&'a str>, Option<&'a str>) {
        let mut reader = Reader::new(bytes);
        let present = reader.byte().unwrap_or_default();
        let mut text = |bit: u8| (present & bit != 0).then(|| reader.text()).flatten();
        let name = text(1);
        (name, text(2))
    }
}

/// Resources allocated to a job, without the expiration.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Given<'a> {
    /// Ranks, in brackets if there is more than one.
    pub ranks: &'a str,
    /// Hosts.
    pub nodelist: &'a str,
    /// Number of ranks.
    pub nnodes: u64,
    /// Number of cores.
    pub ncores: u64,
}

impl<'a> Given<'a> {
    /// Encodes the part.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        put_bytes(&mut out, self.ranks.as_bytes());
        put_bytes(&mut out, self.nodelist.as_bytes());
        put_number(&mut out, self.nnodes);
        put_number(&mut out, self.ncores);
        out
    }

    /// Decodes the part.
    pub fn decode(bytes: &'a [u8]) -> Option<Given<'a>> {
        let mut reader = Reader::new(bytes);
        let given = Given {
            ranks: reader.text()?,
            nodelist: reader.text()?,
            nnodes: reader.number()?,
            ncores: reader.number()?,
        };
        reader.is_empty().then_some(given)
    }
}

/// The exception shown in listings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Raised<'a> {
    /// Type.
    pub kind: &'a str,
    /// 0 to 7.
    pub severity: i64,
    /// Text.
    pub note: &'a str,
}

impl<'a> Raised<'a> {
    /// Encodes the part.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        put_bytes(&mut out, self.kind.as_bytes());
        put_signed(&mut out, self.severity);
        put_bytes(&mut out, self.note.as_bytes());
        out
    }

    /// Decodes the part.
    pub fn decode(bytes: &'a [u8]) -> Option<Raised<'a>> {
        let mut reader = Reader::new(bytes);
        let raised = Raised {
            kind: reader.text()?,
            severity: reader.signed()?,
            note: reader.text()?,
        };
        reader.is_empty().then_some(raised)
    }
}

/// A bit for each value that is present.
fn presence<T>(values: &[Option<T>]) -> u8 {
    let bits = values.iter().enumerate();
    bits.fold(0, |bits, (at, value)| {
        bits | u8::from(value.is_some()) << at
    })
}

/// Values, behind the bits for them.
fn some<'a, T: Copy, const N: usize>(
    reader: &mut Reader<'a>,
    read: impl Fn(&mut Reader<'a>) -> Option<T>,
) -> Option<[Option<T>; N]> {
    let present = reader.byte()?;
    let mut values = [None; N];
    for (at, value) in values.iter_mut().enumerate() {
        if present & (1 << at) != 0 {
            *value = Some(read(reader)?);
        }
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_as_they_were_written() {
        let asked = Asked {
            name: Some("sleep"),
            queue: Some("batch"),
            ntasks: Some(300),
            duration: Some(60.5),
            ..Asked::default()
        };
        let bytes = asked.encode();
        assert_eq!(Asked::decode(&bytes), Some(asked));
        assert_eq!(
            Asked::name_and_queue(&bytes),
            (Some("sleep"), Some("batch"))
        );
        let nothing = Asked::default().encode();
        assert_eq!(Asked::decode(&nothing), Some(Asked::default()));
        let given = Given {
            ranks: "[0-1]",
            nodelist: "fox[0-1]",
            nnodes: 2,
            ncores: 8,
        };
        assert_eq!(Given::decode(&given.encode()), Some(given));
        let raised = Raised {
            kind: "cancel",
            severity: -1,
            note: "",
        };
        assert_eq!(Raised::decode(&raised.encode()), Some(raised));
    }

    #[test]
    fn cut_parts_are_refused() {
        let asked = Asked {
            name: Some("sleep"),
            bank: Some("x"),
            ncores: Some(300),
            ..Asked::default()
        };
        let bytes = asked.encode();
        for end in 0..bytes.len() {
            assert_eq!(Asked::decode(&bytes[..end]), None, "{end}");
        }
        assert_eq!(Asked::name_and_queue(&bytes[..3]), (None, None));
    }
}
