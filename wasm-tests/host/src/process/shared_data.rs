//! The process-wide shared data: one store, keyed by the raw `vm_id` and the key, with one counter for all CAS values.
//!
//! There is no way to remove a key: an empty value stays as one, and data outlives streams, VMs and configurations.

use crate::abi::status::Status;
use std::collections::BTreeMap;

type Key = (Vec<u8>, Vec<u8>);

/// The store.
#[derive(Debug)]
pub(crate) struct SharedData {
    values: BTreeMap<Key, (Vec<u8>, u32)>,
    next_cas: u32,
}

impl Default for SharedData {
    fn default() -> Self {
        SharedData { values: BTreeMap::new(), next_cas: 1 }
    }
}

impl SharedData {
    /// Value and CAS number.
    pub(crate) fn get(&self, vm_id: &[u8], key: &[u8]) -> Result<(Vec<u8>, u32), Status> {
        self.values.get(&(vm_id.to_vec(), key.to_vec())).cloned().ok_or(Status::NotFound)
    }

    /// Keys and values of a `vm_id`.
    pub(crate) fn of(&self, vm_id: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let own = self.values.iter().filter(|((id, _), _)| id == vm_id);
        own.map(|((_, key), (value, _))| (key.clone(), value.clone())).collect()
    }

    /// Sets a value. A CAS number of 0 sets it in any case; so does any number where the key is absent.
    pub(crate) fn set(&mut self, vm_id: &[u8], key: &[u8], value: Vec<u8>, cas: u32) -> Result<(), Status> {
        let next = self.next_cas;
        let key = (vm_id.to_vec(), key.to_vec());
        if let Some((_, current)) = self.values.get(&key)
            && cas != 0
            && cas != *current
        {
            return Err(Status::CasMismatch);
        }
        self.values.insert(key, (value, next));
        // The counter never hands out 0, which stands for "in any case".
        self.next_cas = next.checked_add(1).unwrap_or(1);
        Ok(())
    }
}
