//! Authorities and certificates, made by openssl in a folder of the test's own.

use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

pub(crate) struct Pki {
    folder: TempDir,
}

/// When a certificate is good.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    Now,
    Past,
}

/// What our etcds are called.
pub(crate) const NAMES: &str = "IP:127.0.0.1,DNS:etcd.example";

impl Pki {
    /// With an authority `ca`, and `server` and `client` signed by it.
    pub(crate) fn new() -> Self {
        let pki = Pki { folder: tempfile::tempdir().unwrap() };
        let config = "[ca]\ndefault_ca = any\n[any]\ndatabase = index\nnew_certs_dir = .\nrand_serial = yes\n\
                      default_md = sha256\npolicy = any_name\nunique_subject = no\n[any_name]\ncommonName = supplied\n";
        std::fs::write(pki.file("ca.conf"), config).unwrap();
        std::fs::write(pki.file("index"), "").unwrap();
        pki.authority("ca");
        pki.certificate("server", "ca");
        pki.certificate("client", "ca");
        pki
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn openssl(&self, args: &str) {
        let output = Command::new("openssl").current_dir(self.folder.path()).args(args.split(' ')).output().unwrap();
        assert!(output.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// An authority: `NAME.crt`.
    pub(crate) fn authority(&self, name: &str) {
        self.openssl(&format!("ecparam -name prime256v1 -genkey -noout -out {name}.key"));
        self.openssl(&format!("req -x509 -new -key {name}.key -subj /CN={name} -days 2 -out {name}.crt"));
    }

    /// A certificate for etcd and for us, good now, signed by `by`: `NAME.crt` and `NAME.key`.
    pub(crate) fn certificate(&self, name: &str, by: &str) {
        self.certificate_for(name, by, NAMES, Lifetime::Now);
    }

    /// The same for other names, or for another time.
    pub(crate) fn certificate_for(&self, name: &str, by: &str, names: &str, lifetime: Lifetime) {
        let extensions = format!("subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n");
        std::fs::write(self.file("extensions"), extensions).unwrap();
        let dates = match lifetime {
            Lifetime::Now => "-days 2",
            Lifetime::Past => "-startdate 20200101000000Z -enddate 20200102000000Z",
        };
        self.openssl(&format!("ecparam -name prime256v1 -genkey -noout -out {name}.sec1"));
        self.openssl(&format!("pkcs8 -topk8 -nocrypt -in {name}.sec1 -out {name}.key"));
        self.openssl(&format!("req -new -key {name}.key -subj /CN={name} -out {name}.csr"));
        self.openssl(&format!(
            "ca -batch -notext -config ca.conf -in {name}.csr -cert {by}.crt -keyfile {by}.key -extfile extensions \
             {dates} -out {name}.crt"
        ));
    }

    /// One certificate and its key in the place of another.
    pub(crate) fn install(&self, from: &str, to: &str) {
        self.bundle(&[&format!("{from}.key")], &format!("{to}.key"));
        self.bundle(&[&format!("{from}.crt")], &format!("{to}.crt"));
    }

    /// These files, one after the other, in the place of another, at once.
    pub(crate) fn bundle(&self, from: &[&str], to: &str) {
        let all: Vec<String> = from.iter().map(|name| std::fs::read_to_string(self.file(name)).unwrap()).collect();
        std::fs::write(self.file("next"), all.concat()).unwrap();
        std::fs::rename(self.file("next"), self.file(to)).unwrap();
    }

    /// For an etcd that wants certificates of clients, too, by those in `trusted`.
    pub(crate) fn server_args(&self, trusted: &str) -> [String; 4] {
        [
            format!("--cert-file={}", self.file("server.crt").display()),
            format!("--key-file={}", self.file("server.key").display()),
            format!("--trusted-ca-file={}", self.file(trusted).display()),
            "--client-cert-auth".into(),
        ]
    }
}
