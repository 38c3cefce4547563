//! Random requests, many of which no well-behaved client sends.

use weir_scenario::{Client, Fields, Protocol, Request};

use crate::claims;
use crate::random::Random;
use crate::world::{Kind, PEER_HEADER};

const METHODS: &[&str] = &["GET", "GET", "POST", "PUT", "OPTIONS"];
/// With such as Envoy's HTTP/1 codec refuses.
const ODD_METHODS: &[&str] = &["GET", "GET", "POST", "PUT", "get", "OPTIONS", "FOO"];
const PATHS: &[&str] = &["//", "/a//c", "/a/*", "/xzy", "/a/../b", "/a/./b", "/A", "/a\\b", "*", "http://h/a"];
const SEGMENTS: &[&str] = &["a", "a", "a", "b", "b", "c", "c", "", "A", "%61", "a%2fb", "..", "."];
const PARAMETERS: &[&str] = &[";x", ";", ";x=y", ";x=y;z", ";;", "%3bx", "%3Bx", ";x%2fb", ";/", ";x=\\"];
const QUERIES: &[&str] = &["?q", "?", "?x=/c", "?x;y", "?;", "?/b;x/c", "#f", "?a#b", "#;x", ";?q"];
const HOSTS: &[&str] =
    &["h", "h", "H", "h.example", "H.EXAMPLE", "h:80", "example", "", "[::1]:80", ".", "h.", "x.h.example"];
const VALUES: &[&str] = &["1", "1", "12", "2", "", "x y", "1,2", "2,1", "X", ",", "1\t2", "é", "1é"];
const PADDING: &[&str] = &[" ", "\t", "  ", " \t"];
const FORWARDED: &[&str] = &[
    "",
    "",
    "10.1.2.3",
    "10.9.9.9, 1.1.1.1",
    "fd00::1",
    "192.168.0.9",
    "unknown",
    "1.1.1.1,10.1.2.3",
    "127.0.0.1",
    "::ffff:10.1.2.3",
];
/// URI SANs, and after a `|` DNS SANs.
const PEERS: &[&[&str]] = &[
    &["spiffe://td/ns/n1/sa/a"],
    &["spiffe://td/ns/n1/sa/a"],
    &["spiffe://td2/ns/n1/sa/a"],
    &["spiffe://td2/ns/n2/sa/b"],
    &["spiffe://cluster.local/ns/n1/sa/a"],
    &["spiffe://old-td/ns/n1/sa/a"],
    &["spiffe://td/ns/n1/sa/b", "spiffe://td/ns/n1/sa/a"],
    &["spiffe://other/ns/n2/sa/c", "spiffe://td2/ns/n2/sa/b"],
    &["https://x/y", "spiffe://td/ns/n2/sa/b", "spiffe://td/ns/n1/sa/b"],
    &["spiffe://td"],
    &["spiffe://td/"],
    &["spiffe://"],
    &["spiffe:///ns/n1/sa/a"],
    &["spiffe://ns/foo/sa/a"],
    &["spiffe://ns/ns/n1/sa/a"],
    &["spiffe://t.d/ns/n1/sa/a.b"],
    &["spiffe://txd/ns/nx1/sa/axb"],
    &["spiffe://td/ns/n.1/sa/a+b"],
    &["spiffe://td/x/y/ns/n1/sa/a"],
    &["spiffe://td/ns/n1/k/v/sa/a/z"],
    &["spiffe://td/ns/n1/ns/n2/sa/a"],
    &["spiffe://td/ns/n1/sa/a/"],
    &["spiffe://td/ns/n1/sa/a-x"],
    &["spiffe://TD/ns/N1/sa/a"],
    &["spiffe://td/ns//sa/a"],
    &["spiffe:td/ns/n1/sa/a"],
    &["https://x/ns/n1/sa/a"],
    &["SPIFFE://td/ns/n1/sa/a"],
    &["urn:x"],
    &["td/ns/n1/sa/a"],
    &["", "spiffe://td/ns/n1/sa/a"],
    &["|", "h.example"],
    &["spiffe://td/ns/n1/sa/a", "|", "h.example"],
    &["urn:x", "|", "a", "b"],
    &[],
];

/// What a request can try besides its kind of proxy.
const ALIASES: &str = "trust domain aliases";
const PADDED: &str = "padded values";
const WITH_PARAMETERS: &str = "path parameters";
pub(crate) const SEVERAL_NAMES: &str = "several URI SANs";
const WITH_CLAIMS: &str = "claims of a JWT";
const WITH_METADATA: &str = "metadata of another filter";
/// Those that requests to every kind of proxy try.
pub(crate) const EVERYWHERE: [&str; 5] = [ALIASES, PADDED, WITH_PARAMETERS, WITH_CLAIMS, WITH_METADATA];

/// What a request to a proxy tries.
pub(crate) fn tried(request: &Request, kind: Kind, has_aliases: bool) -> Vec<String> {
    let padded = request.headers.0.iter().any(|(_, value)| value.0.trim_ascii() != value.0);
    let several = matches!(&request.client, Client::Names { uris, .. } if uris.len() > 1);
    let parameters = request.path.0.contains(&b';');
    let mut tried = vec![format!("{kind:?} over {:?}", request.protocol)];
    let metadata = request.headers.0.iter().any(|(name, _)| *name == claims::HEADER.into());
    for (does, what) in [
        (has_aliases, ALIASES),
        (padded, PADDED),
        (parameters, WITH_PARAMETERS),
        (several, SEVERAL_NAMES),
        (request.jwt.is_some(), WITH_CLAIMS),
        (metadata, WITH_METADATA),
    ] {
        if does {
            tried.push(what.to_owned());
        }
    }
    tried
}

/// A request for a world of this kind.
pub(crate) fn request(random: &mut Random, kind: Kind) -> Request {
    let protocol = if random.chance(50) { Protocol::H1 } else { Protocol::H2 };
    let mut headers = Vec::new();
    for name in ["x", "X", "y-y", "x"] {
        if random.chance(40) {
            let name = if protocol == Protocol::H2 { name.to_ascii_lowercase() } else { name.to_owned() };
            headers.push((name.as_str().into(), padded(random, VALUES).as_str().into()));
        }
    }
    if random.chance(35) {
        headers.push(claims::header(random));
    }
    let mut client = Client::Plain;
    if kind.filter_state() {
        if random.chance(75) {
            let peer = loop {
                match PEERS[random.below(PEERS.len())].first() {
                    Some(&peer) if peer != "|" => break peer,
                    _ => {}
                }
            };
            // Weir calls a name with a control character unknown, so no tabs here.
            let peer = if random.chance(10) { padded(random, &[peer]).replace('\t', " ") } else { peer.to_owned() };
            headers.push((PEER_HEADER.into(), peer.as_str().into()));
            // Only where filter state has a peer: without one, istiod's chain here asks for no certificate, and Weir does.
            if random.chance(20) && !peer.trim().is_empty() {
                client = certificate(random);
            }
        }
    } else if kind.identities() && random.chance(80) || random.chance(20) {
        client = certificate(random);
    }
    let (mut path, mut authority) = (path(random, kind), random.pick(HOSTS));
    if protocol == Protocol::H2 {
        // Envoy's HTTP/2 codec resets such a stream ahead of all filters.
        if !path.starts_with('/') {
            path.insert(0, '/');
        }
        if authority.is_empty() {
            authority = "h";
        }
    }
    Request {
        protocol,
        method: random.pick(if protocol == Protocol::H2 { ODD_METHODS } else { METHODS }).to_owned(),
        path: path.as_str().into(),
        authority: authority.into(),
        headers: Fields(headers),
        xff: random.pick(FORWARDED).to_owned(),
        client,
        jwt: random.chance(75).then(|| claims::claims(random)),
        ..Request::default()
    }
}

pub(crate) fn certificate(random: &mut Random) -> Client {
    let names = PEERS[random.below(PEERS.len())];
    let mut halves = names.split(|name| *name == "|");
    let mut half = || halves.next().unwrap_or_default().iter().map(|&name| name.to_owned()).collect();
    Client::Names { uris: half(), dns: half() }
}

fn padded(random: &mut Random, words: &[&str]) -> String {
    let mut value = random.pick(words).to_owned();
    if random.chance(25) {
        value.insert_str(0, random.pick(PADDING));
    }
    if random.chance(25) {
        value.push_str(random.pick(PADDING));
    }
    value
}

fn path(random: &mut Random, kind: Kind) -> String {
    if random.chance(10) {
        return random.pick(PATHS).to_owned();
    }
    let parameters = if kind.parameters() { 40 } else { 10 };
    let mut path = String::new();
    for _ in 0..1 + random.below(3) {
        path.push('/');
        path.push_str(random.pick(SEGMENTS));
        if random.chance(parameters) {
            path.push_str(random.pick(PARAMETERS));
        }
    }
    if random.chance(10) {
        path.push('/');
    }
    if random.chance(25) {
        path.push_str(random.pick(QUERIES));
    }
    path
}
