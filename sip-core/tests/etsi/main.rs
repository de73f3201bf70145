//! User agent, proxy, registrar and redirect server against the test purposes of ETSI TS 102 027-2 V4.1.1, a test for each.
//!
//! A test has the name of its purpose. The catalogue's wording is not used: each test states the
//! rule of the RFC section that its purpose cites, by the purpose's place among those that cite
//! it. `purposes.tsv` holds the identifiers and the verdicts; `ci/conformance.py` checks that the
//! tests exist and ran, and makes `docs/conformance.md` of both.

#[path = "../support/hop.rs"]
mod hop;
#[path = "../support/peer.rs"]
mod peer;

mod cc_rd;
mod iut;
mod proxied;
mod server;

mod mg_oe;
mod mg_pr;
mod mg_rd;
mod mg_rr;
mod mg_rt;
mod mg_te;
mod oe_ce;
mod oe_cr;
mod pr_cl;
mod pr_rq;
mod pr_rs;
mod pr_se;
mod qc_oe;
mod qc_pr;
mod qc_te;
mod rg_rr;
mod rg_rt;
mod te_ce;
mod te_cr;
