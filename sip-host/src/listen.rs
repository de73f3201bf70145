//! What `--listen`, `--advertise`, `--trust` and the other address arguments mean.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use sansip::Transport;
use sansip::config::Network;

/// A wrong argument: which one, its value, and what is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Usage {
    /// The argument's name: `--listen`.
    pub argument: &'static str,
    /// What was given for it.
    pub value: String,
    /// What is wrong.
    pub problem: String,
}

impl Usage {
    /// A wrong argument.
    pub fn new(argument: &'static str, value: &str, problem: impl Into<String>) -> Self {
        Self { argument, value: value.to_owned(), problem: problem.into() }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.value.is_empty() {
            return write!(f, "{}: {}", self.argument, self.problem);
        }
        write!(f, "{} {}: {}", self.argument, self.value, self.problem)
    }
}

impl std::error::Error for Usage {}

/// A place to listen at: `udp:127.0.0.1:5060`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listen {
    /// The transport.
    pub transport: Transport,
    /// The address; port 0 lets the system choose.
    pub address: SocketAddr,
    /// The argument as it was given.
    pub text: String,
}

impl Listen {
    /// Reads `TRANSPORT:ADDRESS[:PORT]`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Usage> {
        let wrong = |problem: String| Usage::new("--listen", text, problem);
        let (transport, address) = text
            .split_once(':')
            .ok_or_else(|| wrong("give a transport and an address: udp:127.0.0.1:5060".into()))?;
        let transport = match transport.to_ascii_lowercase().as_str() {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            "tls" => Transport::Tls,
            "ws" => Transport::Ws,
            "wss" => Transport::Wss,
            other => {
                let problem = format!("unknown transport '{other}' (udp, tcp, tls, ws, wss)");
                return Err(wrong(problem));
            }
        };
        let address = socket_address(address, transport.default_port()).map_err(wrong)?;
        Ok(Self { transport, address, text: text.to_owned() })
    }
}

fn socket_address(text: &str, default_port: u16) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, default_port));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(format!("'{text}' is not an IP address"));
    };
    if port.parse::<u16>().is_err() {
        return Err(format!("'{port}' is not a port (0 to 65535)"));
    }
    Err(format!("'{host}' is not an IP address (IPv6 goes in brackets)"))
}

/// The host and, if given, the port that others are told: `--advertise HOST[:PORT]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advertise {
    /// The host; IPv6 in brackets.
    pub host: String,
    /// The port; `None` tells the one that is bound.
    pub port: Option<u16>,
}

impl Advertise {
    /// Reads `HOST[:PORT]`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Usage> {
        let wrong = |problem: &str| Usage::new("--advertise", text, problem);
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self { host: host_text(ip), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !text.ends_with(']') => {
                let port = port.parse().map_err(|_| wrong("the port is not a number to 65535"))?;
                (host, Some(port))
            }
            _ => (text, None),
        };
        let v6 = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let usable = match v6 {
            Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
            None => {
                !host.is_empty()
                    && host.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'.')
            }
        };
        if !usable || host.len() > 63 {
            return Err(wrong("not a host name or an IP address of at most 63 characters"));
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

/// An IP address as the host of a URI.
#[must_use]
pub fn host_text(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// The address of this machine that others can use, for a socket bound to `bound`.
///
/// A socket bound to all addresses has none of its own; the one from which the system would send
/// outward stands for it. Nothing is sent to find out.
#[must_use]
pub fn outward(bound: IpAddr) -> IpAddr {
    if !bound.is_unspecified() {
        return bound;
    }
    // Documentation addresses (RFC 5737, RFC 3849): routed like any other.
    let (from, to, otherwise): (_, _, IpAddr) = match bound {
        IpAddr::V4(_) => ("0.0.0.0:0", "192.0.2.1:9", Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(_) => ("[::]:0", "[2001:db8::1]:9", Ipv6Addr::LOCALHOST.into()),
    };
    UdpSocket::bind(from)
        .and_then(|socket| socket.connect(to).and_then(|()| socket.local_addr()))
        .map_or(otherwise, |address| address.ip())
}

/// Reads `ADDRESS[:PORT]` of `--dns`.
///
/// # Errors
/// What is wrong with it.
pub fn name_server(text: &str) -> Result<SocketAddr, Usage> {
    socket_address(text, 53).map_err(|problem| Usage::new("--dns", text, problem))
}

/// Reads `ADDRESS[/BITS]` of `--trust`.
///
/// # Errors
/// What is wrong with it.
pub fn network(text: &str) -> Result<Network, Usage> {
    let wrong = |problem: String| Usage::new("--trust", text, problem);
    let (ip, bits) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
    let ip: IpAddr = ip.parse().map_err(|_| wrong(format!("'{ip}' is not an IP address")))?;
    let width = if ip.is_ipv4() { 32 } else { 128 };
    let prefix = match bits {
        None => width,
        Some(bits) => bits
            .parse()
            .ok()
            .filter(|n| *n <= width)
            .ok_or_else(|| wrong(format!("'{bits}' is not a number of bits (0 to {width})")))?,
    };
    Ok(Network { ip, prefix })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        Listen::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_place_to_listen_at_has_a_transport_and_an_address() {
        let listen = Listen::parse("udp:127.0.0.1:5070").unwrap();
        assert_eq!(listen.transport, Transport::Udp);
        assert_eq!(listen.address, "127.0.0.1:5070".parse().unwrap());
        assert_eq!(Listen::parse("TCP:[::1]:0").unwrap().address, "[::1]:0".parse().unwrap());
        assert_eq!(Listen::parse("tcp:::1").unwrap().address, "[::1]:5060".parse().unwrap());
        assert_eq!(Listen::parse("udp:10.0.0.1").unwrap().address.port(), 5060);
    }

    #[test]
    fn an_error_names_the_argument_its_value_and_what_is_wrong() {
        assert_eq!(
            problem("tpc:127.0.0.1:5060"),
            "--listen tpc:127.0.0.1:5060: unknown transport 'tpc' (udp, tcp, tls, ws, wss)"
        );
        assert!(problem("udp:127.0.0.1:99999").ends_with("'99999' is not a port (0 to 65535)"));
        assert!(problem("udp:here:5060").contains("'here' is not an IP address"));
        assert!(problem("5060").contains("give a transport"));
    }

    #[test]
    fn nobody_is_told_the_address_that_means_any() {
        assert!(!outward("0.0.0.0".parse().unwrap()).is_unspecified());
        assert!(!outward("::".parse().unwrap()).is_unspecified());
        let own: IpAddr = "127.0.0.1".parse().unwrap();
        assert_eq!(outward(own), own);
    }

    #[test]
    fn an_advertised_host_can_stand_in_a_uri() {
        let v6 = Advertise::parse("::1").unwrap();
        assert_eq!((v6.host.as_str(), v6.port), ("[::1]", None));
        let named = Advertise::parse("sip.example.com:5080").unwrap();
        assert_eq!((named.host.as_str(), named.port), ("sip.example.com", Some(5080)));
        assert_eq!(Advertise::parse("[::1]:7").unwrap().port, Some(7));
        for bad in ["", "a b", "a;b", "host:port", "[nonsense]"] {
            assert!(Advertise::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_trusted_network_is_an_address_and_leading_bits() {
        assert_eq!(network("10.0.0.0/8").unwrap().prefix, 8);
        assert_eq!(network("::1").unwrap().prefix, 128);
        assert!(network("10.0.0.0/33").is_err());
        assert!(network("10.0.0/8").is_err());
    }
}
