// How many SNP reports go-sev-guest verifies and validates in a second of processor time, on one thread.
//
// usage: main REPORT VCEK RFC3339 SECONDS    (VCEK in DER)
package main

import (
	"fmt"
	"log"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/google/go-sev-guest/abi"
	sevsnp "github.com/google/go-sev-guest/proto/sevsnp"
	"github.com/google/go-sev-guest/validate"
	"github.com/google/go-sev-guest/verify"
)

func processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		log.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func main() {
	runtime.GOMAXPROCS(1)
	report, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	vcek, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	seconds, err := strconv.ParseFloat(os.Args[4], 64)
	if err != nil {
		log.Fatal(err)
	}
	judge := func() {
		parsed, err := abi.ReportToProto(report)
		if err != nil {
			log.Fatal(err)
		}
		attestation := &sevsnp.Attestation{
			Report:           parsed,
			CertificateChain: &sevsnp.CertificateChain{VcekCert: vcek},
		}
		if err := verify.SnpAttestation(attestation, &verify.Options{DisableCertFetching: true, Now: at}); err != nil {
			log.Fatal(err)
		}
		policy := &validate.Options{GuestPolicy: abi.SnpPolicy{SMT: true}, PermitProvisionalFirmware: true}
		if err := validate.SnpAttestation(attestation, policy); err != nil {
			log.Fatal(err)
		}
	}
	judge()
	count, started := 0, processorTime()
	for processorTime()-started < time.Duration(seconds*float64(time.Second)) {
		judge()
		count++
	}
	fmt.Printf("%.1f\n", float64(count)/(processorTime()-started).Seconds())
}
