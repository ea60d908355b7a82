"""AMD SEV-SNP attestation reports: `authentic` (is it genuine), `acceptable` (is it wanted), `claims`."""
