//! What an operator may set, where it comes from, and what it is when nobody says anything.
//!
//! One table: each row is a flag, an environment variable, a key of the file and a default. A flag wins over the
//! environment, the environment over the file, the file over the default. Not here: the settings of `rill chat`, and
//! bounds that nobody should have to tune (they stand beside what they bound).

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rill_actors::account::board::TASKS_MAX;
use rill_actors::node::{FILES_KEPT, STORAGE_QUOTA_BYTES};
use serde::Deserialize;

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $env:literal $name:ident: $type:ty = $default:expr;)+) => {
        /// Every setting as a flag and an environment variable.
        #[derive(clap::Args, Clone, Debug, Default)]
        pub(crate) struct Flags {
            /// A TOML file with any of these settings, its keys spelt with underscores
            #[arg(long, env = "RILL_CONFIG", value_name = "FILE")]
            pub(crate) config: Option<PathBuf>,
            $($(#[doc = $doc])+
            #[arg(long, env = $env, hide_env_values = true)]
            pub(crate) $name: Option<$type>,)+
        }

        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            $($name: Option<$type>,)+
        }

        /// Every setting with its value.
        #[derive(Clone, Debug)]
        pub(crate) struct Config {
            $($(#[doc = $doc])+
            pub(crate) $name: $type,)+
        }

        impl Config {
            fn merge(flags: Flags, file: File) -> Self {
                Self { $($name: flags.$name.or(file.$name).unwrap_or_else(|| $default),)+ }
            }
        }
    };
}

settings! {
    /// HOST:PORT to listen on [default: 127.0.0.1:8080]
    "RILL_LISTEN" listen: String = "127.0.0.1:8080".to_owned();
    /// What this server is called from outside, as in https://chat.example.org [default: http:// and the address]
    "RILL_PUBLIC_URL" public_url: String = String::new();
    /// The domain of its mail addresses [default: the host of the public URL]
    "RILL_MAIL_HOST" mail_host: String = String::new();
    /// Folder of the store and of files; made when it is missing [default: ./data]
    "RILL_DATA" data: PathBuf = PathBuf::from("data");
    /// Where the store is when it is not that folder: postgres://USER:PASSWORD@HOST/DATABASE [default: none]
    "RILL_STORE" store: String = String::new();
    /// Redis through which the nodes of one store speak to each other: redis://HOST:PORT; each needs its own --data [default: none, one node]
    "RILL_REDIS" redis: String = String::new();
    /// What the names of all channels in that Redis begin with, so that several clusters can share it [default: rill]
    "RILL_REDIS_PREFIX" redis_prefix: String = "rill".to_owned();
    /// Folder of the bytes of files, which all nodes share [default: "files" in the data folder]
    "RILL_FILES_FOLDER" files_folder: PathBuf = PathBuf::new();
    /// MiB of memory for what the folder's store has read from disk; fills up with use, whatever its size [default: 64]
    "RILL_STORE_CACHE_MIB" store_cache_mib: u32 = 64;
    /// Whether anybody may register an account [default: true]
    "RILL_OPEN_REGISTRATION" open_registration: bool = true;
    /// Whether who registers must show that his address is his, by a link that is mailed to it [default: false]
    "RILL_CONFIRM_EMAIL" confirm_email: bool = false;
    /// Mail server: smtp://HOST:PORT, smtp://HOST?tls=required, smtps://USER:PASSWORD@HOST [default: none; mails become files]
    "RILL_SMTP" smtp: String = String::new();
    /// The address that mails come from [default: noreply@ and the mail host]
    "RILL_MAIL_FROM" mail_from: String = String::new();
    /// Header in which a proxy in front names its client, as in X-Forwarded-For [default: none]
    "RILL_CLIENT_ADDRESS_HEADER" client_address_header: String = String::new();
    /// User name of the provisioning call POST /sys/account/register; off without one [default: none]
    "RILL_SYS_USER" sys_user: String = String::new();
    /// Password of the provisioning call [default: none]
    "RILL_SYS_PASSWORD" sys_password: String = String::new();
    /// Whether browsers reach this server through TLS; makes cookies Secure [default: false]
    "RILL_TLS_IN_FRONT" tls_in_front: bool = false;
    /// Origins of web pages that may open sockets, comma-separated, beside the server's own [default: none]
    "RILL_ORIGINS" origins: Origins = Origins::default();
    /// How many threads serve connections; 0 means one for each core [default: 0]
    "RILL_WORKERS" workers: u16 = 0;
    /// How many sockets may be open at once; each needs an open file (ulimit -n) [default: 15000]
    "RILL_CONNECTIONS_MAX" connections_max: usize = 15_000;
    /// How many bytes of files an account may have [default: 10737418240]
    "RILL_STORAGE_QUOTA_BYTES" storage_quota_bytes: u64 = STORAGE_QUOTA_BYTES;
    /// How many bytes a file may have [default: 1073741824]
    "RILL_FILE_BYTES_MAX" file_bytes_max: u64 = 1024 * 1024 * 1024;
    /// How many tasks an account's own board may hold, in memory while the account is active [default: 20000]
    "RILL_BOARD_TASKS_MAX" board_tasks_max: usize = TASKS_MAX;
    /// Seconds for which files are kept in the conversations of organisations that want them deleted [default: 7776000]
    "RILL_FILES_KEPT_S" files_kept_s: u64 = FILES_KEPT.as_secs();
    /// Milliseconds between two looks for the bytes of files that nobody has any more [default: 21600000]
    "RILL_FILE_COLLECT_MS" file_collect_ms: u64 = 6 * 60 * 60 * 1000;
    /// Networks that files may be fetched from beside the public internet, comma-separated, as in 10.1.2.0/24 [default: none]
    "RILL_FETCH_NETWORKS" fetch_networks: Networks = Networks::default();
    /// Milliseconds after which a conversation that nobody touches leaves memory [default: 60000]
    "RILL_IDLE_MS" idle_ms: u64 = 60_000;
    /// Milliseconds in which a new socket must say hello [default: 10000]
    "RILL_HELLO_WAIT_MS" hello_wait_ms: u32 = 10_000;
    /// Milliseconds of silence after which a socket's client is pinged [default: 30000]
    "RILL_PING_AFTER_MS" ping_after_ms: u32 = 30_000;
    /// Milliseconds in which a pinged client must be heard [default: 20000]
    "RILL_PING_WAIT_MS" ping_wait_ms: u32 = 20_000;
    /// Milliseconds for which a client may take nothing of what is being written to it [default: 30000]
    "RILL_SLOW_READER_MS" slow_reader_ms: u32 = 30_000;
    /// Milliseconds that a closing socket gets to say goodbye [default: 5000]
    "RILL_CLOSE_GRACE_MS" close_grace_ms: u32 = 5_000;
    /// Milliseconds that a stopping server gives its clients to go elsewhere [default: 5000]
    "RILL_DRAIN_MS" drain_ms: u32 = 5_000;
    /// What is logged, as in "info" or "warn,rill_actors=debug" [default: info]
    "RILL_LOG" log: String = "info".to_owned();
}

/// Origins as browsers send them: `https://chat.example.org`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Origins(pub(crate) Vec<String>);

impl FromStr for Origins {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(
            text.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(str::to_owned).collect(),
        ))
    }
}

/// Networks, each as an address and how many of its bits count.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub(crate) struct Networks(Vec<(IpAddr, u32)>);

impl Networks {
    /// Whether an address lies in one of them. An IPv4 address that is mapped into IPv6 is another one.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|(network, bits)| match (network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros() >= *bits
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros() >= *bits
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        })
    }
}

impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(network).collect::<Result<_, _>>().map(Self)
    }
}

impl TryFrom<Vec<String>> for Networks {
    type Error = String;

    fn try_from(parts: Vec<String>) -> Result<Self, String> {
        parts.iter().map(|part| network(part)).collect::<Result<_, _>>().map(Self)
    }
}

fn network(text: &str) -> Result<(IpAddr, u32), String> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let refuse = || format!("'{text}' is no network, as in 10.1.2.0/24");
    let address: IpAddr = address.parse().map_err(|_| refuse())?;
    let all = if address.is_ipv4() { u32::BITS } else { u128::BITS };
    let bits = bits.map_or(Ok(all), str::parse).map_err(|_| refuse())?;
    if bits <= all { Ok((address, bits)) } else { Err(refuse()) }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the settings file {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no TOML, or has a key that is no setting, or a value of another type.
    #[error("settings file {}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and what.
        reason: String,
    },
    /// A value makes no sense.
    #[error("setting {name}: {reason}")]
    Invalid {
        /// The setting.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl Config {
    /// Puts the settings together.
    pub(crate) fn read(flags: Flags) -> Result<Self, ConfigError> {
        let file = flags.config.as_deref().map_or_else(|| Ok(File::default()), read_file)?;
        let config = Self::merge(flags, file);
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let invalid = |name, reason: &str| Err(ConfigError::Invalid { name, reason: reason.to_owned() });
        if self.sys_user.is_empty() != self.sys_password.is_empty() {
            return invalid("sys_user", "user and password of the provisioning call go together");
        }
        if self.sys_user.contains(':') {
            return invalid("sys_user", "a colon cannot be part of it (HTTP Basic)");
        }
        if !self.store.is_empty() && !is_postgres(&self.store) {
            return invalid("store", "it is of the form postgres://user:password@host/database");
        }
        if !self.redis.is_empty() && !is_postgres(&self.store) {
            return invalid("redis", "several nodes need a store that they share: set store as well");
        }
        if !self.redis.is_empty() && self.files_folder.as_os_str().is_empty() {
            return invalid(
                "redis",
                "several nodes need a folder of files that they share: set files_folder as well",
            );
        }
        if !self.redis.is_empty() && self.public_url.is_empty() {
            return invalid("redis", "several nodes need one name: set public_url as well");
        }
        if self.file_collect_ms == 0 {
            return invalid("file_collect_ms", "must be above 0");
        }
        if self.files_kept_s == 0 {
            return invalid("files_kept_s", "must be above 0");
        }
        if self.connections_max == 0 {
            return invalid("connections_max", "at least one is needed");
        }
        if !self.public_url.is_empty() && !self.public_url.starts_with("http") {
            return invalid("public_url", "it is of the form https://host");
        }
        for (name, value) in [
            ("hello_wait_ms", self.hello_wait_ms),
            ("ping_after_ms", self.ping_after_ms),
            ("ping_wait_ms", self.ping_wait_ms),
            ("slow_reader_ms", self.slow_reader_ms),
        ] {
            if value == 0 {
                return invalid(name, "must be above 0");
            }
        }
        if let Some(origin) = self.origins.0.iter().find(|origin| !origin.contains("://")) {
            return invalid("origins", &format!("'{origin}' is not of the form https://host"));
        }
        Ok(())
    }

    /// What this server is called from outside, without a slash at its end.
    pub(crate) fn public_url(&self) -> String {
        if self.public_url.is_empty() {
            format!("http://{}", self.listen)
        } else {
            self.public_url.trim_end_matches('/').to_owned()
        }
    }

    /// The domain of its mail addresses.
    pub(crate) fn mail_host(&self) -> String {
        if !self.mail_host.is_empty() {
            return self.mail_host.clone();
        }
        let url = self.public_url();
        let host = url.split_once("://").map_or(url.as_str(), |(_, host)| host);
        host.rsplit_once(':').map_or(host, |(host, _)| host).to_owned()
    }

    /// How many threads serve connections.
    pub(crate) fn worker_threads(&self) -> u16 {
        match self.workers {
            0 => cores(),
            set => set,
        }
    }
}

/// Whether a store's URL names a PostgreSQL.
pub(crate) fn is_postgres(url: &str) -> bool {
    ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme))
}

/// How many cores this process may use.
pub(crate) fn cores() -> u16 {
    std::thread::available_parallelism().map_or(1, |n| u16::try_from(n.get()).unwrap_or(u16::MAX))
}

fn read_file(path: &Path) -> Result<File, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        ConfigError::Malformed { path: path.to_owned(), reason: format!("line {line}: {}", error.message()) }
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{Config, ConfigError, Flags, Networks, Origins};

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let file = file("listen = \"0.0.0.0:1\"\ndrain_ms = 7\norigins = [\"https://a\"]\n");
        let flags = Flags {
            config: Some(file.path().to_owned()),
            listen: Some("127.0.0.1:2".to_owned()),
            ..Flags::default()
        };
        let config = Config::read(flags).unwrap();
        assert_eq!(config.listen, "127.0.0.1:2");
        assert_eq!(config.drain_ms, 7);
        assert_eq!(config.origins, Origins(vec!["https://a".to_owned()]));
        assert_eq!(config.ping_after_ms, 30_000);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let file = file("listen = \"0.0.0.0:1\"\nlisten_to = 3\n");
        let error =
            Config::read(Flags { config: Some(file.path().to_owned()), ..Flags::default() }).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, ConfigError::Malformed { .. }));
        assert!(text.contains("line 2") && text.contains("listen_to"), "{text}");
    }

    #[test]
    fn half_of_the_provisioning_credentials_is_refused() {
        let flags = Flags { sys_user: Some("ops".to_owned()), ..Flags::default() };
        assert!(matches!(Config::read(flags), Err(ConfigError::Invalid { name: "sys_user", .. })));
    }

    #[test]
    fn a_store_is_a_folder_or_in_postgresql() {
        let with = |store: &str| Config::read(Flags { store: Some(store.to_owned()), ..Flags::default() });
        assert!(with("").is_ok() && with("postgres://rill@db/rill").is_ok());
        assert!(matches!(with("mysql://db"), Err(ConfigError::Invalid { name: "store", .. })));
    }

    #[test]
    fn origins_are_a_list_with_commas() {
        assert_eq!(
            "https://a, https://b,".parse(),
            Ok(Origins(vec!["https://a".into(), "https://b".into()]))
        );
    }

    #[test]
    fn networks_are_a_list_of_addresses_and_lengths() {
        let networks: Networks = "10.1.0.0/16, 127.0.0.2,fd00::/8".parse().unwrap();
        for (address, is_in) in [
            ("10.1.255.1", true),
            ("10.2.0.1", false),
            ("127.0.0.2", true),
            ("127.0.0.1", false),
            ("fd12::1", true),
            ("fc00::1", false),
            ("::ffff:10.1.0.1", false),
        ] {
            assert_eq!(networks.contain(address.parse().unwrap()), is_in, "{address}");
        }
        assert!("0.0.0.0/0".parse::<Networks>().unwrap().contain("8.8.8.8".parse().unwrap()));
        for text in ["10.0.0.0/33", "10.0.0/8", "localhost", "::/129", "1.2.3.4/x"] {
            assert!(text.parse::<Networks>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_sample_file_says_the_defaults() {
        let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/rill.toml");
        let sampled = Config::read(Flags { config: Some(sample.into()), ..Flags::default() }).unwrap();
        let default = Config::read(Flags::default()).unwrap();
        assert_eq!(format!("{sampled:?}"), format!("{default:?}"));
    }

    #[test]
    fn the_sample_file_names_every_setting() {
        let sample = include_str!("../../deploy/rill.toml");
        let table: toml::Table = toml::from_str(sample).unwrap();
        let default = format!("{:?}", Config::read(Flags::default()).unwrap());
        assert_eq!(table.len(), default.matches(": ").count(), "{default}");
    }
}
