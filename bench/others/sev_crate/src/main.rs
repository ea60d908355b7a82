//! How many SNP reports the `sev` crate, on which snpguest rests, verifies in a second of processor time.
//!
//! usage: bench-sev REPORT VCEK SECONDS    (a Genoa report; VCEK in DER)
//! prints two rates: with the whole chain each time, as snpguest does, and the report's signature alone.

use sev::certs::snp::{builtin::genoa, ca, Certificate, Chain, Verifiable};
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser;
use std::{env, fs, time::Duration};

fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/schedstat").expect("schedstat");
    Duration::from_nanos(stat.split(' ').next().expect("time").parse().expect("number"))
}

fn rate(seconds: f64, judge: impl Fn()) -> f64 {
    judge();
    let (mut count, started) = (0u32, processor_time());
    loop {
        for _ in 0..8 {
            judge();
        }
        count += 8;
        let took = (processor_time() - started).as_secs_f64();
        if took >= seconds {
            return f64::from(count) / took;
        }
    }
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let report = fs::read(&arguments[1]).expect("report");
    let vek = Certificate::from_der(&fs::read(&arguments[2]).expect("VCEK")).expect("VCEK");
    let seconds: f64 = arguments[3].parse().expect("seconds");
    let ca = ca::Chain { ark: genoa::ark().expect("ARK"), ask: genoa::ask().expect("ASK") };
    let chain = Chain { ca, vek };
    let whole = rate(seconds, || {
        let parsed = AttestationReport::from_bytes(&report).expect("report");
        (&chain, &parsed).verify().expect("genuine");
    });
    let signature = rate(seconds, || {
        let parsed = AttestationReport::from_bytes(&report).expect("report");
        (&chain.vek, &parsed).verify().expect("genuine");
    });
    println!("{whole:.1} {signature:.1}");
}
