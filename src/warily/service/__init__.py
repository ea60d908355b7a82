"""The verifier and key broker: nonce, evidence, appraisal, grant, and an audit trail."""
