//! The identities of a dialog: what its requests carry in From and To, and how they change (RFC 4916).

use super::{Dialog, DialogHandle, Dialogs, Packer, Text};
use crate::cx::Cx;
use crate::error::{Error, Misuse};
use crate::header::name_addr::NameAddr;
use crate::wire::scan::Span;

/// The parts of a From or To value that take the place of those the dialog has.
struct Names<'a> {
    local: Option<&'a [u8]>,
    remote: Option<&'a [u8]>,
}

impl Dialogs {
    /// The peer's From or To value, tag included.
    #[must_use]
    pub fn remote<'c>(&self, cx: &'c Cx, h: DialogHandle) -> &'c [u8] {
        self.slab.get(h).map_or(&[], |d| d.text.remote().of(cx.pool.bytes_of(d.block)))
    }

    /// Our requests carry this From from now on, with our tag. `BadHeader` for a value that cannot
    /// be parsed or has a tag.
    pub fn rename_local(&mut self, cx: &mut Cx, h: DialogHandle, from: &[u8]) -> Result<(), Error> {
        let bad = Error::Misuse(Misuse::BadHeader);
        let parsed = NameAddr::parse(from, Span::new(0, from.len())).map_err(|_| bad)?;
        if !parsed.tag.is_empty() || from.iter().any(u8::is_ascii_control) {
            return Err(bad);
        }
        let d = self.slab.live_mut(h)?;
        rename(cx, d, &Names { local: Some(from), remote: None })
    }

    /// Our requests carry this To from now on: the From of a request of the peer's in the dialog,
    /// so that its tag is the dialog's.
    pub fn rename_remote(
        &mut self,
        cx: &mut Cx,
        h: DialogHandle,
        from: &[u8],
    ) -> Result<(), Error> {
        let d = self.slab.live_mut(h)?;
        rename(cx, d, &Names { local: None, remote: Some(from) })
    }
}

fn rename(cx: &mut Cx, d: &mut Dialog, names: &Names<'_>) -> Result<(), Error> {
    let Cx { pool, scratch, .. } = cx;
    let (old, t) = (pool.bytes_of(d.block), d.text);
    let mut p = Packer { out: scratch, at: 0 };
    let mut text = Text { call_id: p.put(t.call_id().of(old))?.len, ..Text::default() };
    let (start, own_tag) = (p.at, t.local_tag.of(old));
    let own = names.local.unwrap_or_else(|| t.local().of(old));
    p.put(own)?;
    if names.local.is_some() {
        p.put(b";tag=")?;
        text.local_tag = p.put(own_tag)?;
    }
    text.local = p.since(start).len;
    let at = p.at;
    let other = names.remote.unwrap_or_else(|| t.remote().of(old));
    text.remote = p.put(other)?.len;
    if names.local.is_none() {
        text.local_tag = p.again(start, own, own_tag)?;
    }
    text.remote_tag = p.again(at, other, t.remote_tag.of(old))?;
    text.target = p.put(t.target.of(old))?;
    text.routes = p.put(t.routes().of(old))?.len;
    let len = p.at;
    let block = pool.copy_in(scratch.get(..len).unwrap_or(&[]))?;
    pool.release(d.block);
    d.block = block;
    d.text = text;
    Ok(())
}
