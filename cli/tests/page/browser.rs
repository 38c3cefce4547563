//! A Chromium, driven over the WebDriver protocol.

use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use weir_launch::{Client, Protocol, Request, free_port, wait_until};

/// How long something may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser without a window. Ends when dropped.
pub(crate) struct Browser {
    driver: Child,
    at: SocketAddr,
    session: String,
}

impl Browser {
    pub(crate) fn start() -> Self {
        let port = free_port().unwrap();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver cannot be started: {error}; scripts/install-tools"));
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut browser = Self { driver, at, session: String::new() };
        let is_ready = || browser.call("GET", "/status", None).ok().filter(|status| status["ready"] == true);
        assert!(wait_until(PATIENCE, is_ready).is_some(), "chromedriver does not answer");
        let options = json!({"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]});
        let wanted = json!({"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}});
        let body = json!({"capabilities": {"alwaysMatch": wanted}});
        let session = browser.call("POST", "/session", Some(&body)).unwrap();
        browser.session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        browser
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let mut request = Request::new(method, &self.at.to_string(), path).header("content-type", "application/json");
        request.body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let client = Client::new().map_err(|error| error.to_string())?;
        let response = client.send(self.at, Protocol::Http1, &request).map_err(|error| error.to_string())?;
        let mut answer: Value = serde_json::from_str(&response.text()).map_err(|error| error.to_string())?;
        match response.status {
            200 => Ok(answer["value"].take()),
            _ => Err(answer["value"].to_string()),
        }
    }

    fn of_session(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &format!("{}{path}", self.session), Some(body)).unwrap()
    }

    pub(crate) fn open(&self, url: &str) {
        self.of_session("/url", &json!({"url": url}));
    }

    /// What a script gives that returns.
    pub(crate) fn ask(&self, script: &str) -> Value {
        self.of_session("/execute/sync", &json!({"script": script, "args": []}))
    }

    pub(crate) fn truth(&self, expression: &str) -> bool {
        self.ask(&format!("return {expression}")) == true
    }

    /// Waits until that holds.
    pub(crate) fn wait(&self, expression: &str) {
        let is_so = wait_until(PATIENCE, || self.truth(expression).then_some(()));
        assert!(is_so.is_some(), "never: {expression}");
    }

    fn element(&self, id: &str) -> String {
        let found = self.of_session("/element", &json!({"using": "css selector", "value": format!("#{id}")}));
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    /// Clicks, as a person does: what is hidden or covered cannot be.
    pub(crate) fn click(&self, id: &str) {
        self.of_session(&format!("/element/{}/click", self.element(id)), &json!({}));
    }

    /// Writes a text in place of a field's, key by key.
    pub(crate) fn write(&self, id: &str, text: &str) {
        let element = self.element(id);
        self.of_session(&format!("/element/{element}/clear"), &json!({}));
        self.of_session(&format!("/element/{element}/value"), &json!({"text": text}));
    }

    /// Sets a field's text, which may have characters that no key has.
    pub(crate) fn set(&self, id: &str, text: &str) {
        let script = "document.getElementById(arguments[0]).value = arguments[1]";
        self.of_session("/execute/sync", &json!({"script": script, "args": [id, text]}));
    }

    fn property(&self, id: &str, name: &str) -> String {
        let found = self.ask(&format!("return document.getElementById('{id}').{name}"));
        found.as_str().unwrap().to_owned()
    }

    pub(crate) fn text(&self, id: &str) -> String {
        self.property(id, "textContent")
    }

    pub(crate) fn value(&self, id: &str) -> String {
        self.property(id, "value")
    }

    pub(crate) fn class(&self, id: &str) -> String {
        self.property(id, "className")
    }

    /// What the browser's console has.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.of_session("/se/log", &json!({"type": "browser"}));
        log.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.call("DELETE", &self.session, None);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
