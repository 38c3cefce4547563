//! Connections of a listener whose chain is network filters and a TCP proxy to a server that sends back what it gets.
//!
//! As in Envoy's filter manager, data waits in one buffer until every filter lets it pass, a filter that stops is asked
//! again with all that waits, and a filter behind one that stops does not know of the connection yet. On the way back
//! nothing waits. At the end of a connection each filter is called in this order, one after the other: close, done, log,
//! delete.

use crate::http::stream_data::{Connection, StreamData};
use crate::process::cost::Costs;
use crate::process::settings::TcpServer;
use crate::vm::context::{Context, Sight, Stream};
use crate::vm::plugin::FailurePolicy;
use crate::worker::Worker;
use crate::worker::handle::Handle;
use crate::worker::instance::Called;
use crate::worker::streams::record;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use weir_scenario::{FilterStateValue, Record, TcpServer as OfScenario};

/// The close types of the ABI.
#[derive(Clone, Copy)]
enum By {
    Unknown = 0,
    Proxy = 1,
    Peer = 2,
}

/// What a client has got of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpSeen {
    /// Everything that came back.
    pub received: Vec<u8>,
    /// How many bytes the server got.
    pub served: usize,
    /// The proxy has closed its side.
    pub closed: bool,
    /// Filter state.
    pub filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The access log record, once it has ended.
    pub record: Option<Record>,
    /// What it has cost on its worker since it began, once it has ended.
    pub costs: Costs,
}

struct Slot {
    handle: Rc<Handle>,
    context: Option<u32>,
    /// The plugin was dead when the connection came, and its failure policy is to pass.
    absent: bool,
}

/// A connection.
pub(crate) struct TcpConnection {
    data: Rc<RefCell<StreamData>>,
    slots: Vec<Slot>,
    /// What the client does before the TCP proxy knows of the connection: until then nothing is read.
    unread: Unread,
    /// What waits for a filter, from the client.
    buffer: Vec<u8>,
    /// The client has closed its side, and the server does not know.
    end: bool,
    /// What passes the filters, from the server, and whether it is the last.
    buffer_up: Vec<u8>,
    end_up: bool,
    /// The TCP proxy has a connection to the server.
    connected: bool,
    /// The server has closed its side.
    server_closed: bool,
    /// The client has, and the server knows.
    client_closed: bool,
    seen: TcpSeen,
    over: bool,
}

impl TcpConnection {
    /// The plugins that it has.
    pub(crate) fn handles(&self) -> impl Iterator<Item = &Rc<Handle>> {
        self.slots.iter().map(|slot| &slot.handle)
    }
}

/// What a client has done and nothing has read.
#[derive(Default)]
struct Unread {
    bytes: Vec<u8>,
    end: bool,
    reset: bool,
}

/// The outcome of one filter's callback.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passage {
    Continue,
    Stop,
}

impl Worker {
    /// Accepts a connection.
    pub(crate) fn tcp_open(&mut self, connection: Connection) -> u64 {
        // What the worker did before is not the connection's.
        let spent = self.site.costs.take();
        self.site.spent.borrow_mut().add(&spent);
        let process = std::sync::Arc::clone(&self.site.process);
        let id = process.next_serial();
        let proxy = &process.settings.proxy;
        // A PROXY protocol header does not change who the direct peer is.
        let direct = if proxy.proxy_protocol { Connection::default().source } else { connection.source.clone() };
        let fixed = proxy.connection_filter_state.iter().map(|(key, value)| (key.clone(), value.clone()));
        let of_client = proxy.filter_state.iter().filter_map(|(key, value)| match value {
            FilterStateValue::DirectAddress => Some((key.clone(), direct.clone())),
            FilterStateValue::PeerUriSans => {
                let names = connection.tls.as_ref()?.peer_uri_sans.join(",");
                (!names.is_empty()).then_some((key.clone(), names))
            }
            FilterStateValue::Header(_) | FilterStateValue::Value(_) => None,
        });
        let filter_state = fixed.chain(of_client).map(|(key, value)| (key.into(), value.into())).collect();
        let data = StreamData {
            remote: connection.source.clone(),
            connection,
            connection_id: id,
            started: (process.clock.wall(), process.clock.monotonic()),
            filter_state,
            ..StreamData::default()
        };
        let slots =
            self.chain_for_stream().into_iter().map(|handle| Slot { handle, context: None, absent: false }).collect();
        let connection = TcpConnection {
            data: Rc::new(RefCell::new(data)),
            slots,
            unread: Unread::default(),
            buffer: Vec::new(),
            end: false,
            buffer_up: Vec::new(),
            end_up: false,
            connected: false,
            server_closed: false,
            client_closed: false,
            seen: TcpSeen::default(),
            over: false,
        };
        self.connections.insert(id, connection);
        self.tcp_read(id, 0);
        self.run_actions();
        id
    }

    /// The client sends, and closes its side with `end`.
    pub(crate) fn tcp_send(&mut self, id: u64, bytes: &[u8], end: bool) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if !connection.connected {
            connection.unread.bytes.extend(bytes);
            connection.unread.end |= end;
            return;
        }
        connection.buffer.extend(bytes);
        connection.end |= end;
        connection.data.borrow_mut().received += bytes.len() as u64;
        self.tcp_read(id, 0);
        // Once both sides have closed, the connection ends, also if a filter holds data.
        if self.connections.get(&id).is_some_and(|connection| connection.server_closed && connection.end) {
            self.tcp_close(id, By::Peer);
        }
        self.run_actions();
    }

    /// What the client has got.
    pub(crate) fn tcp_seen(&self, id: u64) -> TcpSeen {
        let connection = self.connections.get(&id);
        let state = connection.map(|connection| connection.data.borrow().filter_state.clone()).unwrap_or_default();
        connection
            .map(|connection| TcpSeen { filter_state: state, ..connection.seen.clone() })
            .or_else(|| self.ended_connections.get(&id).cloned())
            .unwrap_or_default()
    }

    /// The server closes its side, and goes on reading.
    pub(crate) fn tcp_server_ends(&mut self, id: u64) {
        self.tcp_from_server(id, Vec::new(), true);
        self.run_actions();
    }

    /// The client is gone, perhaps with data under way.
    pub(crate) fn tcp_abort(&mut self, id: u64) {
        if let Some(connection) = self.connections.get_mut(&id).filter(|connection| !connection.connected) {
            connection.unread.reset = true;
            return;
        }
        self.tcp_close(id, By::Peer);
        self.run_actions();
    }

    /// A filter has let a held connection go on.
    pub(crate) fn tcp_continue(&mut self, id: u64, position: usize) {
        self.tcp_read(id, position + 1);
    }

    /// A filter closes.
    pub(crate) fn tcp_close_by_filter(&mut self, id: u64) {
        self.tcp_close(id, By::Proxy);
    }

    /// Takes what waits through the filters from one position on, and to the server.
    fn tcp_read(&mut self, id: u64, from: usize) {
        let count = self.connections.get(&id).map_or(0, |connection| connection.slots.len());
        for position in from..count {
            let Some(connection) = self.connections.get(&id).filter(|connection| !connection.over) else { return };
            let new = connection.slots.get(position).is_some_and(|slot| slot.context.is_none() && !slot.absent);
            if new && self.tcp_new(id, position) == Passage::Stop {
                return;
            }
            let Some(connection) = self.connections.get(&id) else { return };
            let waits = !connection.buffer.is_empty() || connection.end;
            if waits && self.tcp_data(id, position, false) == Passage::Stop {
                return;
            }
        }
        self.tcp_to_server(id);
    }

    /// Makes a filter's context and announces the connection to it.
    fn tcp_new(&mut self, id: u64, position: usize) -> Passage {
        let Some(connection) = self.connections.get(&id) else { return Passage::Stop };
        let Some(slot) = connection.slots.get(position) else { return Passage::Stop };
        let (handle, data) = (Rc::clone(&slot.handle), Rc::clone(&connection.data));
        let Some(cell) = handle.vm.clone().filter(|_| !handle.is_dead()) else {
            if handle.plugin.failure_policy != FailurePolicy::FailOpen {
                return self.tcp_fail(id, &handle);
            }
            let slot = self.connections.get_mut(&id).and_then(|connection| connection.slots.get_mut(position));
            slot.into_iter().for_each(|slot| slot.absent = true);
            return Passage::Continue;
        };
        let sight = Sight { connection: true, ..Sight::default() };
        let stream =
            Stream { root: handle.root, id, position, data, sight, replied: false, ended: false, last_buffer: None };
        let context = cell.borrow_mut().create(Context::Stream(stream));
        if let Some(slot) = self.connections.get_mut(&id).and_then(|connection| connection.slots.get_mut(position)) {
            slot.context = Some(context);
        }
        let called = cell.borrow_mut().call("proxy_on_new_connection", context, &[]);
        self.collect(&cell);
        self.tcp_passage(id, &handle, called)
    }

    /// Shows a filter data: what waits from the client, or what the server has just sent.
    fn tcp_data(&mut self, id: u64, position: usize, upstream: bool) -> Passage {
        let Some(connection) = self.connections.get_mut(&id) else { return Passage::Stop };
        let (bytes, end) = match upstream {
            true => (connection.buffer_up.clone(), connection.end_up),
            false => (connection.buffer.clone(), connection.end),
        };
        let Some(slot) = connection.slots.get(position) else { return Passage::Stop };
        if slot.absent {
            return Passage::Continue;
        }
        let (handle, context) = (Rc::clone(&slot.handle), slot.context);
        let (Some(cell), Some(context)) = (handle.vm.clone(), context) else { return self.tcp_fail(id, &handle) };
        if handle.is_dead() {
            return self.tcp_fail(id, &handle);
        }
        let arguments = [u32::try_from(bytes.len()).unwrap_or(u32::MAX), u32::from(end)];
        let buffer = |sight: &mut Sight, bytes| {
            let seen = if upstream { &mut sight.upstream_data } else { &mut sight.downstream_data };
            std::mem::replace(seen, bytes)
        };
        if let Some(stream) = cell.borrow_mut().store.data_mut().stream_mut(context) {
            buffer(&mut stream.sight, Some(bytes));
        }
        let name = if upstream { "proxy_on_upstream_data" } else { "proxy_on_downstream_data" };
        let called = cell.borrow_mut().call(name, context, &arguments);
        let changed =
            cell.borrow_mut().store.data_mut().stream_mut(context).and_then(|stream| buffer(&mut stream.sight, None));
        if let (Some(connection), Some(changed)) = (self.connections.get_mut(&id), changed) {
            *(if upstream { &mut connection.buffer_up } else { &mut connection.buffer }) = changed;
        }
        let passage = self.tcp_passage(id, &handle, called);
        if upstream && end {
            cell.borrow_mut().call("proxy_on_upstream_connection_close", context, &[By::Unknown as u32]);
        }
        self.collect(&cell);
        passage
    }

    fn tcp_passage(&mut self, id: u64, handle: &Rc<Handle>, called: Called) -> Passage {
        match called {
            _ if called.died() => self.tcp_fail(id, handle),
            Called::Absent | Called::Returned(0) => Passage::Continue,
            _ => Passage::Stop,
        }
    }

    /// A filter whose VM has died: the connection is closed, or passes with the older `fail_open`. `FAIL_OPEN` is for new
    /// connections only.
    fn tcp_fail(&mut self, id: u64, handle: &Rc<Handle>) -> Passage {
        if handle.plugin.fail_open {
            return Passage::Continue;
        }
        self.tcp_close(id, By::Proxy);
        Passage::Stop
    }

    /// The TCP proxy: connects with the first filter chain that lets the connection pass, and hands over what came.
    fn tcp_to_server(&mut self, id: u64) {
        let server = self.site.process.settings.tcp_server;
        let Some(connection) = self.connections.get_mut(&id).filter(|connection| !connection.over) else { return };
        if !std::mem::replace(&mut connection.connected, true) {
            if server == TcpServer::Refuses {
                // The TCP proxy tries once.
                connection.data.borrow_mut().flags.extend(["UF", "URX"]);
                return self.tcp_close(id, By::Proxy);
            }
            if server == TcpServer::Greets {
                self.tcp_from_server(id, OfScenario::GREETING.into(), false);
            }
            let Some(connection) = self.connections.get_mut(&id) else { return };
            let Unread { bytes, end, reset } = std::mem::take(&mut connection.unread);
            if !bytes.is_empty() || end {
                self.tcp_send(id, &bytes, end);
            }
            if reset {
                self.tcp_close(id, By::Peer);
            }
            return;
        }
        let bytes = std::mem::take(&mut connection.buffer);
        connection.seen.served += bytes.len();
        let ends = std::mem::take(&mut connection.end);
        connection.client_closed |= ends;
        let says_bye = bytes.ends_with(b"bye");
        if !bytes.is_empty() {
            self.tcp_from_server(id, bytes, false);
        }
        if says_bye || ends {
            self.tcp_from_server(id, Vec::new(), true);
        }
    }

    /// The server sends something, or closes its side.
    fn tcp_from_server(&mut self, id: u64, bytes: Vec<u8>, end: bool) {
        let Some(connection) = self.connections.get_mut(&id).filter(|connection| !connection.over) else { return };
        if connection.server_closed && !end {
            return;
        }
        let already = end && std::mem::replace(&mut connection.server_closed, end);
        (connection.buffer_up, connection.end_up) = (bytes, end);
        let count = connection.slots.len();
        if !already {
            // What is written passes the filters in the opposite order.
            for position in (0..count).rev() {
                if self.tcp_data(id, position, true) == Passage::Stop {
                    return;
                }
            }
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let bytes = std::mem::take(&mut connection.buffer_up);
        connection.data.borrow_mut().sent += bytes.len() as u64;
        connection.seen.received.extend(bytes);
        connection.seen.closed |= end;
        if connection.server_closed && connection.client_closed {
            // The second side to close ends it: the proxy does if the client was first.
            self.tcp_close(id, if already { By::Peer } else { By::Proxy });
        }
    }

    /// Ends a connection.
    fn tcp_close(&mut self, id: u64, by: By) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if std::mem::replace(&mut connection.over, true) {
            return;
        }
        connection.seen.closed = true;
        connection.data.borrow_mut().completed = Some(self.site.process.clock.monotonic());
        let slots: Vec<_> =
            connection.slots.iter().filter_map(|slot| Some((slot.handle.vm.clone()?, slot.context?))).collect();
        for (cell, context) in slots {
            cell.borrow_mut().call("proxy_on_downstream_connection_close", context, &[by as u32]);
            self.collect(&cell);
            for callback in ["proxy_on_done", "proxy_on_log", "proxy_on_delete"] {
                if let Some(stream) = cell.borrow_mut().store.data_mut().stream_mut(context) {
                    (stream.sight.log, stream.ended) = (callback == "proxy_on_log", true);
                }
                cell.borrow_mut().call(callback, context, &[]);
                self.collect(&cell);
            }
            cell.borrow_mut().store.data_mut().contexts.remove(&context);
        }
        let costs = self.site.costs.borrow().clone();
        let record = self.connections.get(&id).map(|connection| record(&connection.data.borrow()));
        let seen = TcpSeen { record, costs, ..self.tcp_seen(id) };
        self.connections.remove(&id);
        self.ended_connections.insert(id, seen);
        self.drop_retired();
    }
}
