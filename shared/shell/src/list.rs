//! Several attributes in one crossing: a CEL list that Envoy's own evaluator fills.
//!
//! A property read costs 7,000 to 10,000 instructions, most of them for the block that the host asks this module for. A
//! list costs that once, and its evaluation about 15,000 more, for any attributes. One absent attribute fails the whole
//! evaluation, so each that can be absent is guarded: it is then `false`, which arrives as one zero byte, and a boolean is
//! a number of eight bytes so that it cannot be mistaken for that. A guard looks the attribute up once more, for about
//! 2,500 instructions.
//!
//! Attributes that only TLS gives share one guard. The length of the answer says which list it is: an element of its own
//! for that would cost about 1,300 instructions.
//!
//! So there are two expressions. The *guarded* one guards every attribute. The *unguarded* one leaves out the guards of
//! those attributes that each of the first streams had. Where it fails, the guarded one answers, and the attribute that was
//! absent is guarded from then on: an attribute fails an unguarded expression at most once in a VM's life, and never
//! changes an answer.

mod expression;

use crate::abi::{self, Status};
use crate::cel::Token;
use std::iter;
use weir_model::{Attribute, Attributes, Demand, Headers, SortedSet};

/// After how many streams the unguarded expression is made.
const OBSERVED_STREAMS: u32 = 8;

/// `xds.listener_direction` of an inbound listener.
const INBOUND: i64 = 1;

/// One attribute in a list, and what is known about it.
#[derive(Debug)]
struct Element {
    attribute: Attribute,
    presence: Presence,
}

/// Whether an attribute has been there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// Envoy has a value for every stream in every phase that asks for it.
    Always,
    /// For every stream so far.
    SoFar {
        /// At least one stream has had it.
        seen: bool,
    },
    /// Not for every stream.
    Sometimes,
}

/// Attributes that only TLS gives, under one guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    Downstream,
    Upstream,
}

/// The attributes that streams of one direction are read for.
#[derive(Debug)]
struct Side {
    elements: Vec<Element>,
    /// What the elements from this one on need.
    tls: Option<(usize, Tls)>,
    /// Whether what needs TLS includes [`Attribute::ConnectionMtls`], which is known without it.
    mtls: bool,
    /// Zeros before the elements, which make the list longer.
    padding: usize,
}

/// The attributes of a demand, as an expression that gives a list of them.
#[derive(Debug)]
pub(crate) struct List {
    /// For streams of an inbound listener, or of any if `outbound` is not there.
    inbound: Side,
    outbound: Option<Side>,
    /// `None` where the host would not make it: every attribute is then read alone.
    guarded: Option<Token>,
    unguarded: Option<Token>,
    evaluated: u32,
    /// A failed guarded evaluation has been logged.
    failure_logged: bool,
}

impl List {
    /// What a demand asks of streams with a body, or of those without.
    pub(crate) fn new(demand: &Demand, with_body: bool) -> Self {
        let mut inbound = demand.of_stream(true, with_body);
        if demand.directed() {
            inbound.remove(&Attribute::ListenerDirection);
        }
        let inbound = Side::new(inbound);
        let outbound = demand.directed().then(|| {
            let mut outbound = Side::new(demand.of_stream(false, with_body));
            outbound.pad_apart_from(&inbound);
            outbound
        });
        Self { inbound, outbound, guarded: None, unguarded: None, evaluated: 0, failure_logged: false }
    }

    /// The most attributes that a stream is read for.
    pub(crate) fn len(&self) -> usize {
        self.inbound.elements.len().max(self.outbound.as_ref().map_or(0, |side| side.elements.len()))
    }

    /// Lets the host make the expression.
    pub(crate) fn prepare(&mut self) {
        self.guarded = Token::new(&self.expression(false));
    }

    /// Reads all attributes.
    pub(crate) fn fetch(&mut self, out: &mut Attributes) {
        if let Some(unguarded) = &self.unguarded {
            if let Some(values) = unguarded.evaluate()
                && self.take(values, out).is_some()
            {
                return;
            }
            // Compiled again without what was absent. If nothing was, this host cannot evaluate it at all.
            self.unguarded = None;
            if self.fetch_guarded(out) {
                self.unguarded = self.compile_unguarded();
            }
            return;
        }
        self.fetch_guarded(out);
        self.evaluated = self.evaluated.saturating_add(1);
        if self.evaluated == OBSERVED_STREAMS {
            self.unguarded = self.compile_unguarded();
        }
    }

    /// Reads with guards. Returns whether something is absent that was there for every stream before.
    fn fetch_guarded(&mut self, out: &mut Attributes) -> bool {
        if let Some(values) = self.guarded.as_ref().and_then(Token::evaluate)
            && let Some(inbound) = self.take(values, out)
        {
            return self.note_presence(inbound, out);
        }
        if self.guarded.is_some() && !self.failure_logged {
            self.failure_logged = true;
            abi::log(3, "weir: the attribute list cannot be evaluated; attributes are read one by one");
        }
        self.fetch_singly(out);
        false
    }

    /// Reads the attributes one by one.
    pub(crate) fn fetch_singly(&self, out: &mut Attributes) {
        let side = match &self.outbound {
            None => &self.inbound,
            Some(outbound) => {
                read(&Attribute::ListenerDirection, out);
                let inbound = out.int(&Attribute::ListenerDirection) == Some(INBOUND);
                out.set_int(&Attribute::ListenerDirection, i64::from(inbound));
                if inbound { &self.inbound } else { outbound }
            }
        };
        for Element { attribute, .. } in &side.elements {
            read(attribute, out);
        }
    }

    /// Takes an evaluated list over into `out`. Returns whether it was the inbound one; `None` if it was neither.
    pub(crate) fn take(&self, block: Box<[u8]>, out: &mut Attributes) -> Option<bool> {
        // An empty list has four bytes; fewer are not a list.
        if block.len() < 4 {
            return None;
        }
        let list = Headers::new(&block);
        let (inbound, Side { elements, padding, mtls, .. }, plain) =
            match (&self.outbound, self.inbound.without_tls(list.len())) {
                (_, Some(plain)) => (true, &self.inbound, plain),
                (outbound, None) => {
                    let outbound = outbound.as_ref()?;
                    (false, outbound, outbound.without_tls(list.len())?)
                }
            };
        out.clear();
        if self.outbound.is_some() {
            out.set_int(&Attribute::ListenerDirection, i64::from(inbound));
        }
        for (Element { attribute, .. }, (value, _)) in elements.iter().zip(list.spans().skip(*padding)) {
            match value.len() {
                1 if block.get(value.start) == Some(&0) => {}
                _ if attribute.is_bool() => out.set_range(attribute, value.start, 1),
                len => out.set_range(attribute, value.start, len),
            }
        }
        out.adopt(block);
        if plain && *mtls {
            out.set_bool(&Attribute::ConnectionMtls, false);
        }
        Some(inbound)
    }

    /// Notes what was there. Returns whether something is absent that was there for every stream before.
    fn note_presence(&mut self, inbound: bool, found: &Attributes) -> bool {
        let side = if inbound { Some(&mut self.inbound) } else { self.outbound.as_mut() };
        let mut newly_absent = false;
        for Element { attribute, presence } in side.into_iter().flat_map(|side| &mut side.elements) {
            *presence = match (*presence, found.bytes(attribute)) {
                (Presence::SoFar { .. }, Some(_)) => Presence::SoFar { seen: true },
                (Presence::SoFar { seen }, None) => {
                    newly_absent |= seen;
                    Presence::Sometimes
                }
                (unchanged, _) => unchanged,
            };
        }
        newly_absent
    }

    /// The unguarded expression, where it would leave a guard out.
    fn compile_unguarded(&self) -> Option<Token> {
        let mut elements = self.inbound.elements.iter().chain(self.outbound.iter().flat_map(|side| &side.elements));
        let worth = elements.any(|element| element.presence == Presence::SoFar { seen: true });
        if worth { Token::new(&self.expression(true)) } else { None }
    }

    fn expression(&self, unguarded: bool) -> String {
        let mut text = String::new();
        if let Some(outbound) = &self.outbound {
            text.push_str("xds.listener_direction==1?");
            self.inbound.write(&mut text, unguarded);
            text.push(':');
            outbound.write(&mut text, unguarded);
        } else {
            self.inbound.write(&mut text, unguarded);
        }
        text
    }
}

impl Side {
    fn new(attributes: SortedSet<Attribute>) -> Self {
        let count = |tls| attributes.iter().filter(|attribute| Tls::of(attribute) == Some(tls)).count();
        let (most, group) = match (count(Tls::Downstream), count(Tls::Upstream)) {
            (down, up) if up > down => (up, Tls::Upstream),
            (down, _) => (down, Tls::Downstream),
        };
        // For one alone its own guard is as good.
        let group = (most > 1).then_some(group);
        let mut elements = Vec::with_capacity(attributes.len());
        // What is grouped comes last.
        for last in [false, true] {
            for attribute in attributes.iter() {
                let tls = Tls::of(attribute);
                // A whole message does not travel in a list.
                if *attribute != Attribute::DynamicMetadata && last == (tls.is_some() && tls == group) {
                    elements.push(Element { attribute: attribute.clone(), presence: Presence::of(attribute) });
                }
            }
        }
        let tls = group.map(|group| (elements.len() - most, group));
        let mtls = group == Some(Tls::Downstream) && attributes.contains(&Attribute::ConnectionMtls);
        Self { elements, tls, mtls, padding: 0 }
    }

    /// Pads the list until its length differs from every list of `other`.
    fn pad_apart_from(&mut self, other: &Self) {
        let lengths = |side: &Self| [Some(side.elements.len()), side.tls.map(|(from, _)| from)];
        let (own, others) = (lengths(self), lengths(other));
        let same = |padding: &usize| {
            own.iter().flatten().any(|length| others.iter().flatten().any(|other| length + padding == *other))
        };
        // Two lengths on either side can meet in four ways.
        self.padding = (0..=4).find(|padding| !same(padding)).unwrap_or_default();
    }

    /// Whether a list of this length is the one without TLS attributes; `None` if it is not a list of this side.
    fn without_tls(&self, length: usize) -> Option<bool> {
        let elements = length.checked_sub(self.padding)?;
        match self.tls {
            _ if elements == self.elements.len() => Some(false),
            Some((from, _)) if elements == from => Some(true),
            _ => None,
        }
    }

    /// Writes the expression. Where TLS was there for every stream so far, an unguarded one asks without the common guard.
    fn write(&self, text: &mut String, unguarded: bool) {
        let used = |element: &Element| element.presence == Presence::SoFar { seen: true };
        if let Some((from, tls)) = self.tls
            && let Some((others, grouped)) = self.elements.split_at_checked(from)
            && !(unguarded && grouped.iter().any(used))
        {
            // In CEL a choice within a choice needs parentheses.
            text.push_str(match tls {
                Tls::Downstream => "(has(connection.tls_version)?",
                Tls::Upstream => "(has(upstream.tls_version)?",
            });
            self.list(text, &self.elements, unguarded);
            text.push(':');
            self.list(text, others, unguarded);
            text.push(')');
        } else {
            self.list(text, &self.elements, unguarded);
        }
    }

    fn list(&self, text: &mut String, elements: &[Element], unguarded: bool) {
        text.push('[');
        text.extend(iter::repeat_n("0,", self.padding));
        for Element { attribute, presence } in elements {
            let bare = *presence == Presence::Always || unguarded && *presence == Presence::SoFar { seen: true };
            expression::element(text, attribute, bare);
            text.push(',');
        }
        if text.ends_with(',') {
            text.pop();
        }
        text.push(']');
    }
}

impl Tls {
    fn of(attribute: &Attribute) -> Option<Self> {
        use Attribute::{ConnectionMtls, LocalUriSan, PeerDnsSan, PeerSubject, PeerUriSan};
        match attribute {
            ConnectionMtls | LocalUriSan | PeerDnsSan | PeerSubject | PeerUriSan => Some(Self::Downstream),
            Attribute::UpstreamPeerUriSan | Attribute::UpstreamLocalUriSan => Some(Self::Upstream),
            _ => None,
        }
    }
}

impl Presence {
    /// Whether the attribute is always there. The duration is read at the end only, when it is known.
    fn of(attribute: &Attribute) -> Self {
        use Attribute::{ConnectionId, ConnectionMtls, DestinationAddress, ListenerDirection, RequestDuration};
        use Attribute::{RequestTotalSize, ResponseFlags, ResponseTotalSize, SourceAddress};
        match attribute {
            ConnectionId | ConnectionMtls | DestinationAddress | ListenerDirection => Self::Always,
            RequestDuration | SourceAddress => Self::Always,
            RequestTotalSize | ResponseFlags | ResponseTotalSize => Self::Always,
            _ => Self::SoFar { seen: false },
        }
    }
}

/// Reads one attribute. `NotFound` means absent; any other failure means that there is a value and it cannot be read.
pub(crate) fn read(attribute: &Attribute, out: &mut Attributes) {
    let [first, second] = attribute.path();
    let mut path = first.replace('.', "\0").into_bytes();
    if !second.is_empty() {
        path.push(0);
        path.extend_from_slice(second.as_bytes());
    }
    match abi::property(&path) {
        Ok(value) => out.set(attribute, &value),
        Err(Status::NOT_FOUND) => {}
        Err(_) => out.set_unreadable(attribute),
    }
}

#[cfg(test)]
mod tests;
