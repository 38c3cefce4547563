//! The values of a request that were compared, as a reader knows them.

use crate::compiled::Compiled;
use crate::config::object::Field;
use crate::decide::request::{Observer, Request};
use crate::dynamic::issuer_and_subject;
use std::cell::RefCell;
use weir_matching::socket_address;
use weir_model::Facts;

/// The values by dimension, in the order in which they were compared.
#[derive(Debug, Default)]
pub(super) struct Compared(RefCell<Vec<(u16, Vec<u8>)>>);

impl Observer for &Compared {
    fn compared(self, dimension: u16, value: &[u8]) {
        self.0.borrow_mut().push((dimension, value.to_vec()));
    }
}

impl Compared {
    /// What is compared of a request.
    pub(super) fn of(compiled: &Compiled, facts: &Facts<'_>) -> Self {
        let (compared, mut request) = (Self::default(), Request::default());
        request.start(compiled);
        request.read(compiled, facts, &compared);
        compared
    }

    /// The values of a dimension, which is of that field.
    pub(super) fn shown(&self, dimension: u16, field: &Field) -> Vec<String> {
        let values = self.0.borrow();
        values.iter().filter(|(of, _)| *of == dimension).map(|(_, value)| shown(field, value)).collect()
    }
}

fn shown(field: &Field, value: &[u8]) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match field {
        Field::Principal | Field::Namespace | Field::ServiceAccount | Field::TrustDomain => {
            text(value.strip_prefix(b"spiffe://").unwrap_or(value))
        }
        Field::DirectAddress | Field::RemoteAddress | Field::DestinationAddress => {
            socket_address(value).map_or_else(|| text(value), |(address, _)| address.to_string())
        }
        Field::RequestPrincipal => {
            let (issuer, subject) = issuer_and_subject(value);
            format!("{}/{}", text(issuer), text(subject))
        }
        Field::Path
        | Field::Host
        | Field::Method
        | Field::Header(_)
        | Field::DestinationPort
        | Field::ServerName
        | Field::Claim(_)
        | Field::Metadata { .. }
        | Field::Cel(_) => text(value),
    }
}
