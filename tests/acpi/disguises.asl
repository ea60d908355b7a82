// Tables that hostile hosts could send, in disguise: what they do is computed, renamed, shadowed or spread over methods.
// The same format as variants.asl, and the same memory. POKE{x} stands for a region at x, and a store to it.

//= args-deep MEM_RAM_WRITE auto:_PRT
Device(\_SB.D1){
  Method(M1,2,Serialized){M2(Arg1,Arg0,3)}
  Method(M2,3,Serialized){M3(Arg0+Arg2,Arg1)}
  Method(M3,2,Serialized){M4(Arg0<<20)}
  Method(M4,1,Serialized){POKE{Arg0}}
  Method(_PRT,0,Serialized){M1(5,0x10) Return(Package(){})}}

//= pkg-store-elem MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){Name(PK,Package(3){0xFED00000,0xFED00000,0xFED00000})
  Method(FILL){PK[1]=0x2000000}
  Method(_INI,0,Serialized){FILL() Local0=DerefOf(PK[1]) POKE{Local0}}}

//= ref-two MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){OperationRegion(I,SystemIO,0x402,1) Field(I,ByteAcc,NoLock,Preserve){HV,8} Name(A1,0x1000000) Name(A2,0xFED00000)
  Method(SETT,1){Arg0=0xFED00000}
  Method(_INI,0,Serialized){ Local0=RefOf(A2) If(HV==1){Local0=RefOf(A1)} A1=0x1000000 A2=0xFED00000 DerefOf(Local0)=0xFED01000 POKE{A1} }}

//= copyobj-region2 MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){OperationRegion(RA,SystemMemory,0x1000000,0x10)
  OperationRegion(RB,SystemMemory,0xFED00000,0x10)
  OperationRegion(RC,SystemMemory,0xFED00000,0x10) Field(RC,DWordAcc,NoLock,Preserve){F0,32}
  Method(_INI){CopyObject(RA,RB) CopyObject(RB,RC) F0=1}}

//= createfield-ref MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){Name(BB,Buffer(8){0,0,0,1})
  Method(PUT,1,Serialized){CreateDWordField(DerefOf(Arg0),0,YY) POKE{YY}}
  Method(_INI,0,Serialized){PUT(RefOf(BB))}}

//= bufbits MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){Name(BB,Buffer(8){})
  Method(_INI,0,Serialized){CreateBitField(BB,24,B1) B1=1 CreateDWordField(BB,0,AD) POKE{AD}}}

//= sizeof-addr MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){Method(MK,1,Serialized){Local0=Buffer(Arg0){} Return(SizeOf(Local0))}
  Method(_INI,0,Serialized){Local0=MK(0xFED0) Local1=MK(0x100) Local2=Local1<<16 POKE{Local2}}}

//= sizeof-varpkg MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){Method(MK,1,Serialized){Name(PP,Package(Arg0){}) Return(SizeOf(PP))}
  Method(_INI,0,Serialized){MK(0xFD) Local1=MK(0x10) Local2=Local1<<20 POKE{Local2}}}

//= bank-reg-in-ram MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){OperationRegion(RX,SystemMemory,0x1000000,0x100) Field(RX,DWordAcc,NoLock,Preserve){BNK,32}
  OperationRegion(RY,SystemMemory,0xFED00000,0x100) BankField(RY,BNK,7,DWordAcc,NoLock,Preserve){XX,32}
  Method(_INI){Local0=XX}}

//= alias-chain MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){OperationRegion(R,SystemMemory,0x1000000,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32}
  Method(EVIL){F0=1} Alias(EVIL,A1) Alias(A1,A2) Alias(A2,A3) Alias(A3,A4) Alias(A4,A5) Alias(A5,A6) Alias(A6,A7) Alias(A7,A8) Alias(A8,A9) Alias(A9,AA) Alias(AA,AB) Alias(AB,AC)
  Method(_INI){AC()}}

//= alias-device MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){OperationRegion(R,SystemMemory,0x1000000,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32}} Alias(\_SB.D1,\_SB.D2)
Device(\_SB.D3){Method(_INI){\_SB.D2.F0=1}}

//= scope-alias MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){} Alias(\_SB.D1,\_SB.D2)
Scope(\_SB.D2){OperationRegion(R,SystemMemory,0x1000000,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32}}
Device(\_SB.D3){Method(_INI){\_SB.D1.F0=1}}

//= external-field MEM_DYNAMIC_ADDR auto:_INI
External(\_SB.PCI0.RAMF,FieldUnitObj) Device(\_SB.D1){Method(_INI){\_SB.PCI0.RAMF=1}}

//= external-hides MEM_RAM_WRITE auto:_INI
Name(\AD,0xFED00000) External(\_SB.D1.AD,IntObj)
Device(\_SB.D1){Method(_INI,0,Serialized){AD=0x1000000} }
Device(\_SB.D2){Method(_INI,0,Serialized){POKE{\AD}}}

//= cond-def-shadow MEM_RAM_WRITE auto:_INI
Name(\AD,0x1000000) Device(\_SB.D1){If(\_REV>9){Name(AD,0xFED00000)} Method(_INI,0,Serialized){POKE{AD}}}

//= cond-def-host MEM_RAM_WRITE auto:_INI
OperationRegion(\IH,SystemIO,0x402,1) Field(\IH,ByteAcc,NoLock,Preserve){HV,8} Name(\AD,0x1000000)
Device(\_SB.D1){If(\HV==1){Name(AD,0xFED00000)}
  Method(_INI,0,Serialized){POKE{AD}}}

//= shadow-field MEM_RAM_WRITE auto:_INI
OperationRegion(\R,SystemMemory,0x1000000,0x10)
Device(\_SB.D1){Field(R,DWordAcc,NoLock,Preserve){F0,32}
  OperationRegion(R,SystemMemory,0xFED00000,0x10)
  Method(_INI){F0=1}}

//= shadow-name MEM_RAM_WRITE auto:load
Name(\AD,0x1000000)
Scope(\_SB){If(One){OperationRegion(RQ,SystemMemory,AD,0x10) Field(RQ,DWordAcc,NoLock,Preserve){FQ,32} FQ=1} Name(AD,0xFED00000)}

//= evt-dispatch MEM_RAM_WRITE event:_EVT
Device(\_SB.GED2){Name(_HID,"ACPI0013")
  Method(H0,1,Serialized){POKE{Arg0<<24}}
  Method(_EVT,1,Serialized){Switch(Arg0){Case(0x10){H0(1)} Case(0x11){H0(2)}}}}

//= pts MEM_RAM_WRITE auto:_PTS
Method(\_PTS,1,Serialized){If(Arg0==5){POKE{0x1000000}}}

//= ost MEM_RAM_WRITE auto:_OST
Device(\_SB.D1){Method(_OST,3,Serialized){POKE{0x1000000}}}

//= ej0 MEM_RAM_WRITE auto:_EJ0
Device(\_SB.D1){Method(_EJ0,1,Serialized){POKE{0x1000000}}}

//= s0w MEM_RAM_WRITE auto:_S0W
Device(\_SB.D1){Method(_S0W,0,Serialized){POKE{0x1000000} Return(4)}}

//= tostring MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){Method(_INI,0,Serialized){Local0=ToString(Buffer(){0x31,0x30,0x30,0x30,0x30,0x30,0x30,0},Ones) Local1=Local0+0 POKE{Local1}}}

//= midbuf MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){Method(_INI,0,Serialized){Local0=Mid(Buffer(){9,9,0,0,0,1,9,9},2,4) Local1=ToInteger(Local0) POKE{Local1}}}

//= string-ref-concat MEM_RAM_READ auto:_INI
Device(\_SB.D1){OperationRegion(R,SystemMemory,0x1000000,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32}
  Method(_INI){Local0=ToString(Buffer(){0x5c,0x5f,0x53,0x42,0x2e,0x44,0x31,0x2e,0x46,0x30,0},Ones) Local1=DerefOf(Local0)}}

//= implicit-return MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){OperationRegion(R,SystemMemory,0x1000000,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32}
  Method(GR){RefOf(F0)}
  Method(ST,1){Arg0=1}
  Method(_INI){ST(GR())}}

//= notify-chain NOTIFY_STORM auto:_STA
Device(\_SB.D1){Method(_STA){Notify(\_SB.D2,1) Return(15)}}
Device(\_SB.D2){Method(_STA){Notify(\_SB.D1,1) Return(15)}}

//= notify-nested-loop NOTIFY_STORM event:_Lxx
Device(\_SB.D1){}
Scope(\_GPE){Method(_L01){Local0=0 While(Local0<200){Local1=0 While(Local1<200){Notify(\_SB.D1,0) Local1++} Local0++}}}

//= notify-loop-call NOTIFY_STORM event:_Lxx
Device(\_SB.D1){}
Scope(\_GPE){Method(N1){Local1=0 While(Local1<200){Notify(\_SB.D1,0) Local1++}}
  Method(_L01){Local0=0 While(Local0<200){N1() Local0++}}}

//= notify-recursion NOTIFY_STORM event:_Lxx
Device(\_SB.D1){} Scope(\_GPE){Method(N1){Notify(\_SB.D1,0) N1()} Method(_L01){N1()}}

//= pci-adr-store PCI_CONFIG_WRITE auto:_INI
Device(\_SB.PCI9){Name(_HID,EisaId("PNP0A08")) Device(ISA){Name(_ADR,0x001F0000)
  OperationRegion(R,PCI_Config,0x60,4) Field(R,ByteAcc,NoLock,Preserve){PA,8}
  Method(_INI){_ADR=0 PA=1}}}

//= pci-bbn PCI_CONFIG_WRITE auto:_INI
Device(\_SB.PCI9){Name(_HID,EisaId("PNP0A08")) Name(_BBN,5) Device(ISA){Name(_ADR,0x001F0000)
  OperationRegion(R,PCI_Config,0x60,4) Field(R,ByteAcc,NoLock,Preserve){PA,8}
  Method(_INI){PA=1}}}

//= pci-seg PCI_CONFIG_WRITE auto:_INI
Device(\_SB.PCI9){Name(_HID,EisaId("PNP0A08")) Name(_SEG,1) Device(ISA){Name(_ADR,0x001F0000)
  OperationRegion(R,PCI_Config,0x60,4) Field(R,ByteAcc,NoLock,Preserve){PA,8}
  Method(_INI){PA=1}}}

//= pci-behind-bridge PCI_CONFIG_WRITE auto:_INI
Device(\_SB.PCI9){Name(_HID,EisaId("PNP0A08")) Device(BR){Name(_ADR,0x00020000) Device(ISA){Name(_ADR,0x001F0000)
  OperationRegion(R,PCI_Config,0x60,4) Field(R,ByteAcc,NoLock,Preserve){PA,8}
  Method(_INI){PA=1}}}}

//= ok-pirq - -
Device(\_SB.PCI9){Name(_HID,EisaId("PNP0A08")) Device(ISA){Name(_ADR,0x001F0000)
  OperationRegion(R,PCI_Config,0x60,4) Field(R,ByteAcc,NoLock,Preserve){PA,8}
  Method(XSRS,1){PA=Arg0}}}

//= cf8-via-length IO_PCI_MECH1 auto:_INI
Device(\_SB.D1){OperationRegion(R,SystemIO,0xC00,0x200) Field(R,DWordAcc,NoLock,Preserve){Offset(0xF8),CA,32,CD,32}
  Method(_INI){CA=0x80000000 CD=1}}

//= load-region MEM_RAM_READ auto:_INI
Device(\_SB.D1){OperationRegion(R,SystemMemory,0x1000000,0x1000) Method(_INI,0,Serialized){Load(R,Local0)}}

//= loadtable-param MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){Name(PAR,0xFED00000)
  Method(_INI,0,Serialized){LoadTable("OEM1","","","\\","\\_SB.D1.PAR",0x1000000) POKE{PAR}}}

//= loop-break LOOP_UNBOUNDED auto:_INI
Device(\_SB.D1){OperationRegion(I,SystemIO,0x402,1) Field(I,ByteAcc,NoLock,Preserve){HV,8}
  Method(_INI){While(One){If(HV==1){Break}}}}

//= loop-nested LOOP_BOUNDED auto:_INI
Device(\_SB.D1){Method(_INI){Local0=0 While(Local0<250){Local1=0 While(Local1<250){Local2=0 While(Local2<250){Local2++} Local1++} Local0++}}}

//= loop-calls LOOP_BOUNDED auto:_INI
Device(\_SB.D1){Method(L3){Local0=0 While(Local0<250){Local0++}}
  Method(L2){Local0=0 While(Local0<250){L3() Local0++}}
  Method(_INI){Local0=0 While(Local0<250){L2() Local0++}}}

//= loop-host-bound LOOP_UNBOUNDED auto:_INI
Device(\_SB.D1){OperationRegion(I,SystemIO,0x402,4) Field(I,DWordAcc,NoLock,Preserve){HV,32}
  Method(_INI){Local1=HV Local0=0 While(Local0<Local1){Local0++}}}

//= ok-loop-break - -
Device(\_SB.D1){Method(_INI){Local0=0 While(One){Local0++ If(Local0>=100){Break}}}}

//= ok-poll-break - -
Device(\_SB.D1){OperationRegion(M,SystemMemory,0xFEB00000,4) Field(M,DWordAcc,NoLock,Preserve){RDY,32}
  Method(_INI){Local0=0 While(RDY==0){If(Local0>50){Return} Local0++ Stall(50)}}}

//= sleep-loop BLOCK_FOREVER auto:_INI
Device(\_SB.D1){Method(_INI){Local0=0 While(Local0<200){Sleep(50000) Local0++}}}

//= acquire-never BLOCK_FOREVER auto:_INI
Mutex(\MX0,0)
Device(\_SB.D1){Method(_INI){Acquire(\MX0,0xFFFF)}}
Device(\_SB.D2){Method(_INI){Acquire(\MX0,0xFFFF)}}

//= lock-order BLOCK_FOREVER auto:_INI
Mutex(\M0,0) Mutex(\M1,0)
Device(\_SB.D1){Method(_INI){Acquire(\M0,0xFFFF) Acquire(\M1,0xFFFF) Release(\M1) Release(\M0)}}
Scope(\_GPE){Method(_L01){Acquire(\M1,0xFFFF) Acquire(\M0,0xFFFF) Release(\M0) Release(\M1)}}

//= wait-signal-after BLOCK_FOREVER auto:_INI
Event(\EV0) Device(\_SB.D1){Method(_INI){Wait(\EV0,0xFFFF) Signal(\EV0)}}

//= wait-signal-dead BLOCK_FOREVER auto:_INI
Event(\EV0) Device(\_SB.D1){Method(NEVR){Signal(\EV0)} Method(_INI){Wait(\EV0,0xFFFF)}}

//= debug-recursion DEBUG_FLOOD auto:_INI
Device(\_SB.D1){Method(PR){Debug="boo" PR()} Method(_INI){PR()}}

//= bomb-buffer NAMESPACE_BOMB auto:_INI
Device(\_SB.D1){Method(_INI,0,Serialized){Name(BB,Buffer(0x40000000){})}}

//= bomb-varpkg NAMESPACE_BOMB auto:_INI
Device(\_SB.D1){Method(_INI,0,Serialized){Local0=0x7FFFFFF Name(PP,Package(Local0){})}}

//= bomb-concat NAMESPACE_BOMB auto:_INI
Device(\_SB.D1){Method(_INI){Local0="AAAAAAAAAAAAAAAA" Local1=0 While(Local1<40){Local0=Concatenate(Local0,Local0) Local1++}}}

//= bomb-pkgdup NAMESPACE_BOMB auto:_INI
Device(\_SB.D1){Method(_INI,0,Serialized){Local0=Package(){1,2} Local1=0 While(Local1<30){Local2=Package(2){} Local2[0]=Local0 Local2[1]=Local0 Local0=Local2 Local1++}}}

//= unexpected-cid-pkg UNEXPECTED_DEVICE auto
Device(\_SB.D1){Name(_HID,"WAR9") Name(_CID,Package(){"WAR8",EisaId("PNP0C09")})}

//= unexpected-alias UNEXPECTED_DEVICE auto
Device(\_SB.D1){Name(XHID,EisaId("PNP0C09")) Alias(XHID,_HID)}

//= unexpected-prp UNEXPECTED_DEVICE auto
Device(\_SB.D1){Name(_HID,"PRP0001") Name(_DSD,Package(){ToUUID("daffd814-6eba-4d8c-8a91-bc9bbf4aa301"),Package(){Package(){"compatible","virtio,mmio"}}}) Name(_CRS,ResourceTemplate(){Memory32Fixed(ReadWrite,0x1000000,0x1000)})}

//= unexpected-virtio-ram UNEXPECTED_DEVICE auto
Device(\_SB.D1){Name(_HID,"LNRO0005") Name(_UID,1) Name(_CRS,ResourceTemplate(){Memory32Fixed(ReadWrite,0x1000000,0x200) Interrupt(ResourceConsumer,Level,ActiveHigh,Exclusive,,,){20}})}

//= unexpected-memdev UNEXPECTED_DEVICE auto
Device(\_SB.M0){Name(_HID,EisaId("PNP0C80")) Name(_CRS,ResourceTemplate(){QWordMemory(ResourceProducer,PosDecode,MinFixed,MaxFixed,Cacheable,ReadWrite,0,0x100000000,0x17FFFFFFF,0,0x80000000)})}

//= crs-computed-ram UNEXPECTED_DEVICE auto
Device(\_SB.D1){Name(_HID,"LNRO0005")
  Name(RB,ResourceTemplate(){Memory32Fixed(ReadWrite,0,0x1000,M0)})
  Method(_CRS,0,Serialized){CreateDWordField(RB,4,MB) MB=0x1000000 Return(RB)}}

//= ok-virtio-mmio - - DSDT
Device(\_SB.VR00){Name(_HID,"LNRO0005") Name(_UID,0) Name(_CCA,1) Name(_CRS,ResourceTemplate(){Memory32Fixed(ReadWrite,0xFEB00000,0x200) Interrupt(ResourceConsumer,Level,ActiveHigh,Exclusive){16}})}

//= cpc-ram MEM_RAM_WRITE auto
Device(\_SB.CP1){Name(_HID,"ACPI0007") Name(_UID,1) Name(_CPC,Package(){5,2,ResourceTemplate(){Register(SystemMemory,32,0,0x1000000,3)},1})}

//= ptc-cf8 IO_PCI_MECH1 auto
Device(\_SB.CP1){Name(_HID,"ACPI0007") Name(_UID,1) Name(_PTC,Package(){ResourceTemplate(){Register(SystemIO,32,0,0xCF8)},ResourceTemplate(){Register(FFixedHW,0,0,0)}})}

//= pblk-cf8 IO_PCI_MECH1 auto
Processor(\_SB.CPX0,1,0xCF8,6){}

//= ok-ffh - -
Device(\_SB.CP1){Name(_HID,"ACPI0007") Name(_UID,1) Name(_PCT,Package(){ResourceTemplate(){Register(FFixedHW,64,0,0x199)},ResourceTemplate(){Register(FFixedHW,16,0,0x198)}})}

//= straddle-wrap MEM_STRADDLE auto:_INI
Device(\_SB.D1){OperationRegion(R,SystemMemory,0xFFFFFFFFFFFFF000,0x2000) Field(R,DWordAcc,NoLock,Preserve){F0,32}
  Method(_INI){F0=1}}

//= wrap-offset MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){OperationRegion(R,SystemMemory,0xFFFFFFFFFFFFF000,0x2000) Field(R,DWordAcc,NoLock,Preserve){Offset(0x1000),F0,32}
  Method(_INI){F0=1}}

//= ok-mmio-math - -
Device(\_SB.D1){OperationRegion(I,SystemIO,0x402,1) Field(I,ByteAcc,NoLock,Preserve){HV,8}
  Method(_INI,0,Serialized){Local0=0xFED00000 | (HV<<2) POKE{Local0} }}

//= ok-mmio-align - -
Device(\_SB.D1){OperationRegion(I,SystemIO,0x402,1) Field(I,ByteAcc,NoLock,Preserve){HV,8}
  Method(_INI,0,Serialized){Local0=0xFED40000 + HV Local0 &= 0xFFFFFFFC POKE{Local0} }}

//= ok-mmio-xor - -
Device(\_SB.D1){OperationRegion(I,SystemIO,0x402,1) Field(I,ByteAcc,NoLock,Preserve){HV,8}
  Method(_INI,0,Serialized){Local0=0xFED40000 ^ (HV & 0xF0) POKE{Local0} }}

//= ok-mmio-concat-buf - -
Device(\_SB.D1){Method(_INI,0,Serialized){Local0=Concatenate(Buffer(){0,0},Buffer(){0xD4,0xFE}) CreateDWordField(Local0,0,AD) POKE{AD}}}

//= ok-mmio-mid - -
Device(\_SB.D1){Method(_INI,0,Serialized){Local0=Mid(Buffer(){9,9,0,0,0xD4,0xFE,9,9},2,4) Local1=ToInteger(Local0) POKE{Local1}}}

//= ok-mutex - -
Device(\_SB.D1){Mutex(MU,0)
  OperationRegion(I,SystemIO,0xA00,4) Field(I,ByteAcc,NoLock,Preserve){HV,8}
  Method(RD,0,Serialized){If(Acquire(MU,1000)==0){Local0=HV Release(MU) Return(Local0)} Return(0)}
  Method(_STA){Return(RD())}}

//= ok-osi - -
Device(\_SB.D1){Name(OSV,0)
  Method(_INI){If(_OSI("Windows 2012")){OSV=1} If(CondRefOf(\_OSI,Local0)){OSV=2}}
  Method(_STA){If(OSV==0){Return(0)} Return(15)}}

//= ok-prt - -
Device(\_SB.D1){Name(_HID,EisaId("PNP0A08"))
  Method(_PRT,0,Serialized){Local0=Package(128){} Local1=0 While(Local1<128){Local2=Local1>>2 Local3=(Local1+Local2)&3 Local4=Package(4){} Local4[0]=(Local2<<16)|0xFFFF Local4[1]=Local1&3 Local4[2]=0 Local4[3]=Local3 Local0[Local1]=Local4 Local1++} Return(Local0)}}

//= virtio-in-ssdt UNEXPECTED_DEVICE auto
Device(\_SB.VR99){Name(_HID,"LNRO0005") Name(_UID,99)
  Name(_CRS,ResourceTemplate(){Memory32Fixed(ReadWrite,0xFEB04000,0x200)})}

//= another-hypervisor UNEXPECTED_DEVICE auto
Device(\_SB.VMB0){Name(_HID,"VMBUS") Name(_UID,0)}

//= string-index MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){Name(SS,"FED00000") Method(_INI,0,Serialized){SS[0]=0x30 Local0=SS+0 POKE{Local0}}}

//= string-index-by-reference MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){Name(SS,"FED00000")
  Method(CH,1){Arg0=0x30}
  Method(_INI,0,Serialized){CH(Index(SS,0)) Local0=ToInteger(Concatenate("0x",SS)) POKE{Local0}}}

//= loop-callee-reset LOOP_UNBOUNDED auto:_INI
Device(\_SB.D1){Name(CNT,0) Method(RST){CNT=0} Method(_INI){While(CNT<10){RST() CNT++}}}

//= loop-local-reset LOOP_UNBOUNDED auto:_INI
Device(\_SB.D1){Method(RST,1){Arg0=0}
  Method(_INI){Local0=0 Local1=RefOf(Local0) While(Local0<10){RST(Local1) Local0++}}}

//= ok-loop-name-call - -
Device(\_SB.D1){Name(CNT,0) Method(FOO,1){Return(Arg0+1)} Method(_INI){CNT=0 While(CNT<100){FOO(CNT) CNT++}}}

//= a-reference-stored-to-a-package MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){OperationRegion(R,SystemMemory,0x1000000,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32}
  Method(SETT,1){Arg0=7}
  Method(_INI,0,Serialized){Local0=Package(1){} Local0[0]=RefOf(F0) SETT(DerefOf(Local0[0]))}}

//= another-revision MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){Method(_INI,0,Serialized){If(\_REV==5){POKE{0x1000000}}}}

//= index-over-index MEM_RAM_WRITE auto:_INI
OperationRegion(RA,SystemMemory,0x1000000,8) Field(RA,ByteAcc,NoLock,Preserve){I0,8,D0,8}
IndexField(I0,D0,ByteAcc,NoLock,Preserve){I1,8,D1,8} IndexField(I1,D1,ByteAcc,NoLock,Preserve){X1,8}
Device(\_SB.DV){Method(_INI){X1=1}}

//= a-store-to-one-of-two MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){OperationRegion(I,SystemIO,0x402,1) Field(I,ByteAcc,NoLock,Preserve){HV,8}
  Name(A1,0xFED00000) Name(A2,0xFED00000)
  Method(_INI,0,Serialized){ Local0=RefOf(A2) If(HV==1){Local0=RefOf(A1)}
    A1=0xFED00000 A2=0xFED00000 DerefOf(Local0)=0x1000000 POKE{A1} }}

//= a-store-to-a-name-that-may-be-another MEM_RAM_WRITE auto:_INI
OperationRegion(\IH,SystemIO,0x402,1) Field(\IH,ByteAcc,NoLock,Preserve){HV,8} Name(\AD,0xFED00000)
Device(\_SB.D1){If(\HV==1){Name(AD,0xFED00000)} Method(_INI,0,Serialized){\AD=0xFED00000 AD=0x1000000 POKE{\AD}}}

//= store-in-condition MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){OperationRegion(M,SystemMemory,0xFEB00000,4) Field(M,DWordAcc,NoLock,Preserve){HV,32} Method(_INI,0,Serialized){ Local0=HV If(LAnd(LEqual(Local0,0xFED00000),Store(HV,Local0))){POKE{Local0}} }}

//= store-in-loop-condition LOOP_UNBOUNDED auto:_INI
Device(\_SB.D1){Method(_INI){Local0=0 While(LAnd(LLess(Local0,10),LNot(Store(0,Local0)))){Local0++}}}
