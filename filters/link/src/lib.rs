//! Strips the exports a module does not use after linking.
