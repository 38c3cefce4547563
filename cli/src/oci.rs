//! `weir pack`, `push`, `pull`, `verify` and `inspect`: modules as OCI images.
//!
//! What an image is and who takes it is in the crate `weir-oci`; here are the options and the printed lines.

mod contents;
mod inventory;
mod place;
mod report;
mod schema;

use crate::{Failure, modules, print};
use clap::{Args, Subcommand, ValueEnum};
use place::Place;
use std::fs;
use std::path::PathBuf;
use weir_oci::consumers::Consumer;
use weir_oci::{Digest, Image, Layout, NewLayout};

/// The commands.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make the OCI image of a module, in a folder
    Pack(Pack),
    /// Push the image of a folder to a registry, and print its reference by digest
    Push(Push),
    /// Pull an image into a folder, or its module into a file, and print its reference by digest
    Pull(Pull),
    /// Say who would load the module of an image, who would refuse it and why
    Verify(Verify),
    /// Print the digests of an image and where each is written
    Inspect(Inspect),
}

/// Options of `weir pack`.
#[derive(Args)]
pub(crate) struct Pack {
    /// The module
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(modules::NAMES))]
    module: String,
    /// The module's file [default: the module inside this binary]
    #[arg(long, value_name = "PLUGIN.wasm")]
    file: Option<PathBuf>,
    /// An annotation of the image, such as `org.opencontainers.image.source=https://git.example.com/weir`
    #[arg(long = "annotation", value_name = "KEY=VALUE", value_parser = annotation)]
    annotations: Vec<(String, String)>,
    /// The folder to make
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
}

/// Options of `weir push`.
#[derive(Args)]
pub(crate) struct Push {
    /// A folder with an OCI image layout, as `weir pack` makes it
    #[arg(value_name = "LAYOUT")]
    layout: String,
    /// Where the image goes: `HOST/NAME:TAG`
    #[arg(value_name = "REF")]
    reference: String,
    #[command(flatten)]
    access: place::Options,
}

/// Options of `weir pull`.
#[derive(Args)]
pub(crate) struct Pull {
    /// The image: `HOST/NAME:TAG` or `HOST/NAME@sha256:DIGEST`
    #[arg(value_name = "REF")]
    reference: String,
    /// The folder to make; a name that ends in `.wasm` gets the module alone
    #[arg(long, value_name = "DIR|FILE.wasm")]
    output: PathBuf,
    #[command(flatten)]
    access: place::Options,
}

/// Options of `weir verify`.
#[derive(Args)]
pub(crate) struct Verify {
    /// A folder with an OCI image layout, or a reference to a registry
    #[arg(value_name = "LAYOUT|REF")]
    image: String,
    /// Who is to load the module [default: all but gcp, which cannot run the modules of Weir]
    #[arg(long = "for", value_enum, value_delimiter = ',', value_name = "CONSUMER")]
    consumers: Vec<Reader>,
    /// The digest that the manifest of this consumer pins
    #[arg(long, value_name = "sha256:DIGEST", requires = "consumers")]
    pin: Option<Digest>,
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    access: place::Options,
}

/// Options of `weir inspect`.
#[derive(Args)]
pub(crate) struct Inspect {
    /// A folder with an OCI image layout, or a reference to a registry
    #[arg(value_name = "LAYOUT|REF")]
    image: String,
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    access: place::Options,
}

/// Who loads modules, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reader(Consumer);

impl ValueEnum for Reader {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Reader; Consumer::ALL.len()] = [
            Reader(Consumer::Istio),
            Reader(Consumer::EnvoyGateway),
            Reader(Consumer::Higress),
            Reader(Consumer::ImageVolume),
            Reader(Consumer::Envoy),
            Reader(Consumer::Gcp),
        ];
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.name()))
    }
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

impl From<weir_oci::Error> for Failure {
    fn from(error: weir_oci::Error) -> Self {
        let message = print::plain(&error.to_string());
        if error.is_about_the_image() { Self::No(message) } else { Self::Use(message) }
    }
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Pack(options) => pack(options),
        Command::Push(options) => {
            let layout = Layout::open(&options.layout)?;
            say!("{}", place::push(&layout, &options.reference, &options.access)?)
        }
        Command::Pull(options) => pull(options),
        Command::Verify(options) => verify(options),
        Command::Inspect(options) => {
            let place = Place::open(&options.image, &options.access)?;
            let found = weir_oci::inspect(&Image::open(place.store())?)?;
            report::inspection(&found, options.output)
        }
    }
}

fn pack(options: &Pack) -> Result<(), Failure> {
    let given = options.file.as_ref().map(|path| {
        fs::read(path).map_err(|error| Failure::Use(format!("`{}` cannot be read: {error}", path.display())))
    });
    let given = given.transpose()?;
    let plugin = match &given {
        Some(bytes) => bytes,
        None => modules::find(&format!("{}.wasm", options.module)).ok_or_else(|| {
            Failure::Use(format!(
                "this binary was built without {}.wasm: run `make build`, or give --file",
                options.module
            ))
        })?,
    };
    let mut package = contents::package(&options.module, plugin)?;
    package.annotations.extend(options.annotations.iter().cloned());
    let packed = package.pack()?;
    let digest = packed.manifest.digest();
    let mut layout = NewLayout::begin(&options.output, Some(env!("CARGO_PKG_VERSION")))?;
    packed.put(&mut layout)?;
    layout.finish()?;
    say!("{}@{digest}", options.output.display())
}

fn pull(options: &Pull) -> Result<(), Failure> {
    let place = Place::open(&options.reference, &options.access)?;
    let is_module = options.output.extension().is_some_and(|extension| extension == "wasm");
    let digest = if is_module {
        let image = Image::open(place.store())?;
        let module = image.module()?;
        let written = fs::write(&options.output, module);
        written.map_err(|error| Failure::Use(format!("`{}` cannot be written: {error}", options.output.display())))?;
        image.digest()
    } else {
        let mut layout = NewLayout::begin(&options.output, None)?;
        let digest = weir_oci::copy(place.store(), &mut layout)?;
        layout.finish()?;
        digest
    };
    say!("{}", place.pinned(&digest))
}

fn verify(options: &Verify) -> Result<(), Failure> {
    let place = Place::open(&options.image, &options.access)?;
    let image = Image::open(place.store())?;
    let consumers: Vec<Consumer> = if options.consumers.is_empty() {
        Consumer::USUAL.to_vec()
    } else {
        options.consumers.iter().map(|reader| reader.0).collect()
    };
    let verdicts: Result<Vec<_>, _> =
        consumers.iter().map(|consumer| consumer.judge(&image, options.pin.as_ref())).collect();
    let verdicts = verdicts?;
    report::verdicts(image.place(), &verdicts, options.output)?;
    let refused = verdicts.iter().filter(|verdict| !verdict.is_accepted).count();
    if refused == 0 { Ok(()) } else { Err(Failure::No(format!("{refused} of {} refuse the image", verdicts.len()))) }
}

fn annotation(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}
