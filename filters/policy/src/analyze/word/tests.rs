use super::*;
use crate::analyze::space::View;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_matching::{Glob, PathParameters, Pattern, Template};
use weir_testing::Rows;

/// `a b` are two patterns; one with `{*}` is a template, and one that begins with `~` a glob.
fn patterns(texts: &str) -> Vec<Pattern> {
    let pattern = |text: &str| match text.strip_prefix('~') {
        Some(glob) => Pattern::Glob(Glob::parse(glob)),
        None if Template::is_meant(text) => Pattern::Template(Template::parse(text).unwrap()),
        None => Pattern::parse(text),
    };
    texts.split(' ').map(pattern).collect()
}

fn track(view: &View, lens: Lens, texts: &str, is_must: bool) -> Track {
    Track { language: Rc::new(Language::new(view, &patterns(texts))), lens, is_must }
}

fn tracks(view: &View, lens: Lens, musts: &[&str], nevers: &[&str]) -> Vec<Track> {
    let musts = musts.iter().map(|texts| track(view, lens, texts, true));
    musts.chain(nevers.iter().map(|texts| track(view, lens, texts, false))).collect()
}

/// What is found is in all languages that it must be in, as the patterns themselves say, and in none of the others.
fn check(rows: &mut Rows, domain: Domain, (musts, nevers): (&[&str], &[&str]), exists: bool) {
    let name = format!("{domain:?} {musts:?} without {nevers:?}");
    let found = find(domain, &tracks(&View::Text, Lens::Whole, musts, nevers), &[]);
    if let Found::Some(word) = &found {
        let is_in = |texts: &&str| patterns(texts).iter().any(|pattern| pattern.matches(word.as_bytes()));
        rows.check(format!("{name}: {word}"), musts.iter().all(is_in) && !nevers.iter().any(is_in), true);
    }
    rows.check(name, matches!(found, Found::Some(_)), exists);
    let is_known = found != Found::Unknown;
    rows.check(format!("{domain:?} {musts:?} is known"), is_known, true);
}

#[test]
fn a_text_is_found_exactly_where_there_is_one() {
    let mut rows = Rows::default();
    for (musts, nevers, exists) in [
        (&[][..], &[][..], true),
        (&["/a"], &["/b"], true),
        (&["/a"], &["/a*"], false),
        (&["/a*"], &["/a"], true),
        (&["/a*"], &["/a", "/a*"], false),
        (&["/a*"], &["/ab* /ac* /a"], true),
        (&["/a*", "*b"], &[], true),
        (&["/a*", "/b*"], &[], false),
        (&["*ab", "*b"], &["*ab"], false),
        (&["*b"], &["*ab"], true),
        (&["/a*", "*a"], &["/a"], true),
        (&["/{*}"], &["/a*"], true),
        (&["/{*}/b"], &["*/b"], false),
        (&["/a/{*}", "*/b"], &["/a/b"], false),
        (&["/a/{**}", "*/b"], &["/a/b"], true),
        (&["/{**}"], &["/{*} / /{*}/{**}"], true),
        // What remains is an empty segment at the beginning.
        (&["/{**}"], &["/{*} / /{*}/{**} //*"], false),
        (&["/*"], &["/{**}"], true),
        // Every template is about characters of paths.
        (&["/{**}", "*\""], &[], false),
        (&["*"], &["/*"], false),
        (&["~/a*b*c"], &["*c"], false),
        (&["~/a*b*c"], &["~/a*c"], false),
        (&["~/a*b*c", "/ac*"], &["~*bb*"], true),
        (&["/a /b /c"], &["/a", "/b"], true),
        (&["/a /b /c"], &["/a", "/b /c"], false),
        (&["/a /b", "/b /c"], &[], true),
        (&["/a /b", "/b /c"], &["*b"], false),
    ] {
        check(&mut rows, Domain::Path, (musts, nevers), exists);
    }
    for (domain, musts, nevers, exists) in [
        (Domain::Host, &["a/b"][..], &[][..], false),
        (Domain::Host, &[], &["*"], false),
        (Domain::Empty, &[], &["*"], true),
        (Domain::Method, &[], &["*"], false),
        (Domain::Method, &["G ET", "G*"], &[], true),
        (Domain::Method, &["GET POST", "P*"], &["POST"], false),
        (Domain::Header, &["é*"], &["é"], true),
        (Domain::ServerName, &["H*"], &[], false),
        (Domain::Name, &["é*"], &[], false),
        (Domain::NameOfSeveral, &["a,b"], &[], false),
        (Domain::ClaimWord, &["a~b"], &["b*"], true),
    ] {
        check(&mut rows, domain, (musts, nevers), exists);
    }
}

/// All letters begin some other pattern: what remains begins with none of them.
#[test]
fn what_many_patterns_leave_is_found() {
    let mut rows = Rows::default();
    let all: Vec<String> = (' '..='~').map(|char| format!("/{char}*")).filter(|text| !text.contains(' ')).collect();
    let nevers: Vec<&str> = all.iter().map(String::as_str).collect();
    let found = find(Domain::Path, &tracks(&View::Text, Lens::Whole, &["/?*"], &nevers), &[]);
    rows.check("a query", matches!(found, Found::None), true);
    let found = find(Domain::Path, &tracks(&View::Text, Lens::Whole, &[], &nevers), &[]);
    rows.check("nothing behind the slash", found, Found::Some("/".to_owned()));
    let nevers: Vec<&str> = nevers.into_iter().chain(["/"]).collect();
    let found = find(Domain::Path, &tracks(&View::Text, Lens::Whole, &[], &nevers), &[]);
    rows.check("a letter that no pattern has", matches!(&found, Found::Some(word) if !word.is_ascii()), true);
}

#[test]
fn a_text_is_seen_through_its_lenses() {
    let mut rows = Rows::default();
    let path = Lens::of_path(PathParameters::Compared);
    let left_out = Lens::of_path(PathParameters::LeftOut);
    for (name, domain, seen, exists) in [
        ("a path and its query", Domain::Path, [("/a", path, true), ("/a?*", Lens::Whole, true)], true),
        (
            "a path that ends where its query begins",
            Domain::Path,
            [("/a", path, true), ("/a", Lens::Whole, false)],
            true,
        ),
        ("a path of two texts", Domain::Path, [("/a", path, true), ("/ab*", Lens::Whole, true)], false),
        ("another path with a query", Domain::Path, [("/a", path, false), ("/a?*", Lens::Whole, true)], false),
        ("parameters are left out", Domain::Path, [("/a/b", left_out, true), ("/a;x/b", Lens::Whole, true)], true),
        ("a parameter is not compared", Domain::Path, [("/a;x", left_out, true), ("*", Lens::Whole, true)], false),
        ("letters of a host", Domain::Host, [("h*", Lens::Lower, true), ("H*", Lens::Whole, true)], true),
        ("no host in capitals is compared", Domain::Host, [("H*", Lens::Lower, true), ("*", Lens::Whole, true)], false),
        ("a small letter", Domain::Host, [("h", Lens::Lower, true), ("H", Lens::Whole, false)], true),
        (
            "issuer and subject",
            Domain::RequestPrincipal,
            [("i", Lens::Issuer, true), ("a*", Lens::Subject, true)],
            true,
        ),
        (
            "no issuer, and some",
            Domain::RequestPrincipal,
            [("*", Lens::Issuer, false), ("\u{0}a", Lens::Whole, false)],
            true,
        ),
    ] {
        let tracks = seen.map(|(texts, lens, is_must)| track(&View::Text, lens, texts, is_must));
        rows.check(name, matches!(find(domain, &tracks, &[]), Found::Some(_)), exists);
    }
    // Two slashes in the path stand for one parameter each.
    let unclear =
        [track(&View::Text, Lens::BeforeParameters, "/a", true), track(&View::Text, Lens::Whole, "/a;b/c", true)];
    rows.check("a path that cannot be read", find(Domain::ReadablePath, &unclear, &[]), Found::None);
}

/// Names of peers by what each field reads of them, as the filter does.
#[test]
fn names_are_read_as_the_filter_reads_them() {
    let mut rows = Rows::default();
    let account = |text: &str| vec![Pattern::Exact(text.as_bytes().into())];
    let (td, any) = (Pattern::parse("td"), vec![Pattern::Any]);
    for (name, seen, exists) in [
        (
            "an account has its namespace",
            vec![(View::ServiceAccount, account("n/a"), true), (View::Namespace, patterns("n/*"), false)],
            false,
        ),
        (
            "a namespace without that account",
            vec![(View::ServiceAccount, account("n/a"), false), (View::Namespace, patterns("n/*"), true)],
            true,
        ),
        (
            "a principal is of its trust domain",
            vec![(View::Principal, patterns("td/*"), true), (View::TrustDomain, vec![td.clone()], false)],
            false,
        ),
        (
            "a name without a path is of none",
            vec![(View::TrustDomain, any.clone(), true), (View::TrustDomain, patterns("*d *x *"), false)],
            true,
        ),
        (
            "some name that is no SPIFFE ID",
            vec![(View::Principal, vec![Pattern::Present], true), (View::TrustDomain, any, false)],
            true,
        ),
        ("no name at all", vec![(View::Principal, vec![Pattern::Present], false)], false),
        (
            "a trust domain has no slash",
            vec![(View::TrustDomain, patterns("t*"), true), (View::Principal, patterns("t*"), false)],
            false,
        ),
        (
            "two namespaces in one name",
            vec![(View::Namespace, patterns("n/*"), true), (View::Namespace, patterns("m/*"), true)],
            true,
        ),
        (
            "a namespace of any scheme",
            vec![
                (View::Namespace, patterns("n/*"), true),
                (View::Principal, patterns("*n/sa/a *"), true),
                (View::TrustDomain, vec![td], false),
            ],
            true,
        ),
    ] {
        let tracks: Vec<Track> = seen
            .into_iter()
            .map(|(view, patterns, is_must)| Track {
                language: Rc::new(Language::new(&view, &patterns)),
                lens: Lens::Whole,
                is_must,
            })
            .collect();
        rows.check(name, matches!(find(Domain::Name, &tracks, &[]), Found::Some(_)), exists);
    }
}
