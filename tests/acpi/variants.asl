// Tables that hostile hosts could send, and some that are harmless, each in a few lines of ASL.
// A line "//= NAME FINDING REACH" begins a table; "-" means that nothing may be found. SSDT, unless a signature follows.
// Memory is taken to be 0-0x7FFFFFFF and 0x100000000-0x17FFFFFFF.

//= arith MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){Name(_HID,"WAR0100") Name(BASE,0x800) Method(_INI){ Local0 = BASE << 12 Local1 = Local0 + 0x1000 Local1 ^= 0x3000 OperationRegion(R,SystemMemory,Local1,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 }}

//= pkg MEM_RAM_WRITE auto:_STA
Device(\_SB.D1){Name(PK,Package(){1,0x2000000,3}) Method(_STA){ Local0=DerefOf(PK[1]) OperationRegion(R,SystemMemory,Local0,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 Return(15)}}

//= pkgnest MEM_RAM_WRITE auto:_STA
Device(\_SB.D1){Name(PK,Package(){Package(){1,0x2000000},3}) Method(_STA){ Local0=DerefOf(DerefOf(PK[0])[1]) OperationRegion(R,SystemMemory,Local0,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 Return(15)}}

//= index MEM_RAM_WRITE auto:_INI
OperationRegion(R,SystemMemory,0x3000000,0x10) Field(R,DWordAcc,NoLock,Preserve){IDX,32,DAT,32} IndexField(IDX,DAT,DWordAcc,NoLock,Preserve){Offset(0x10),XX,32} Device(\_SB.D1){ Method(_INI){ XX=5 }}

//= bank MEM_RAM_WRITE auto:_INI
OperationRegion(R,SystemMemory,0x3000000,0x100) Field(R,DWordAcc,NoLock,Preserve){BNK,32} BankField(R,BNK,2,DWordAcc,NoLock,Preserve){Offset(0x10),XX,32} Device(\_SB.D1){ Method(_INI){ XX=5 }}

//= ret MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){ Method(ADDR,1){Return(Arg0*2)} Method(_INI){ OperationRegion(R,SystemMemory,ADDR(0x1000000),0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 }}

//= buf MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){ Name(B,Buffer(16){}) CreateDWordField(B,4,ADR) Method(_INI){ ADR=0x1000000 OperationRegion(R,SystemMemory,ADR,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 }}

//= bufbyte MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){ Name(B,Buffer(4){}) Method(_INI){ B[3]=1 Local0=ToInteger(B) OperationRegion(R,SystemMemory,Local0,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 }}

//= toint MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){ Method(_INI){ OperationRegion(R,SystemMemory,ToInteger("0x1000000"),0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 }}

//= toint2 MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){ Method(_INI){ Local0=ToInteger(Concatenate("167","77216")) OperationRegion(R,SystemMemory,Local0,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 }}

//= reg MEM_DYNAMIC_ADDR auto:_REG
Device(\_SB.D1){ Method(_REG,2,Serialized){ OperationRegion(R,SystemMemory,Arg0<<20,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 }}

//= copyreg MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){ OperationRegion(R1,SystemMemory,0x1000000,0x10) OperationRegion(R2,SystemMemory,0xFED00000,0x10) Field(R2,DWordAcc,NoLock,Preserve){F0,32} Method(_INI){ CopyObject(R1,R2) F0=1 }}

//= redefcall MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){ Method(SETR,1,Serialized){ OperationRegion(\RGNX,SystemMemory,Arg0,0x10) } Method(_INI){ SETR(0x1000000) DOIT() } External(\RGNX,OpRegionObj) Method(DOIT,0,Serialized){ Field(\RGNX,DWordAcc,NoLock,Preserve){F0,32} F0=1 } }

//= cond MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){ OperationRegion(IOR,SystemIO,0x402,1) Field(IOR,ByteAcc,NoLock,Preserve){HH,8} Method(_INI){ Local0=0xFED00000 If(HH==3){Local0=0x1000000} OperationRegion(R,SystemMemory,Local0,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 }}

//= refof MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){ Name(AD,0xFED00000) Method(SET,1){ Arg0=0x1000000 } Method(_INI){ SET(RefOf(AD)) OperationRegion(R,SystemMemory,AD,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 }}

//= refloc MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){ Method(SET,1){ Arg0=0x1000000 } Method(_INI){ Local0=0xFED00000 SET(RefOf(Local0)) OperationRegion(R,SystemMemory,Local0,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 }}

//= reffield MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){ OperationRegion(R,SystemMemory,0x1000000,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} Method(W,1){ Arg0=1 } Method(_INI){ W(RefOf(F0)) }}

//= deref MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){ OperationRegion(R,SystemMemory,0x1000000,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} Method(_INI){ Local0=RefOf(F0) DerefOf(Local0)=1 }}

//= pkgfield MEM_RAM_READ auto:_INI
Device(\_SB.D1){ OperationRegion(R,SystemMemory,0x1000000,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} Name(P,Package(){F0}) Method(_INI){ Local0=DerefOf(P[0]) Local1=Local0+1 }}

//= alias MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){ OperationRegion(R,SystemMemory,0x1000000,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} Alias(F0,FF) Method(EVIL){ FF=1 } Alias(EVIL,_INI) }

//= fieldsta MEM_RAM_READ auto:_STA
Device(\_SB.D1){ OperationRegion(R,SystemMemory,0x1000000,0x10) Field(R,DWordAcc,NoLock,Preserve){_STA,32} }

//= switch MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){ Method(AD,1,Serialized){ Switch(ToInteger(Arg0)){ Case(1){Return(0xFED00000)} Case(2){Return(0x1000000)} Default{Return(0xFED01000)} } Return(0)} Method(_INI){ OperationRegion(R,SystemMemory,AD(2),0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 }}

//= while MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){ Method(_INI){ Local0=0 Local1=0 While(Local0<200){ Local1+=0x10000 Local0++ } OperationRegion(R,SystemMemory,Local1,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 }}

//= event BLOCK_FOREVER auto:_INI
Device(\_SB.D1){ Event(EV) Method(_INI){ Wait(EV,0xFFFF) }}

//= sleep BLOCK_FOREVER auto:_INI
Device(\_SB.D1){ Method(_INI){ Sleep(0xFFFFFFFF) }}

//= debug DEBUG_FLOOD auto:_INI
Device(\_SB.D1){ Method(_INI){ While(One){ Debug="flood" } }}

//= fatal FATAL auto:_INI
Device(\_SB.D1){ Method(_INI){ Fatal(1,2,3) }}

//= straddle MEM_STRADDLE auto:_INI
Device(\_SB.D1){ OperationRegion(R,SystemMemory,0xFFFFF000,0x2000) Field(R,DWordAcc,NoLock,Preserve){Offset(0x1000),F0,32} Method(_INI){ F0=1 }}

//= straddle2 MEM_STRADDLE auto:_INI
Device(\_SB.D1){ OperationRegion(R,SystemMemory,0x7FFFFFFC,0x8) Field(R,QWordAcc,NoLock,Preserve){F0,64} Method(_INI){ F0=1 }}

//= gpio GPIO_REGION auto:_INI
Device(\_SB.D1){ OperationRegion(R,GeneralPurposeIo,0,0x8) Field(R,ByteAcc,NoLock,Preserve){Connection(GpioIo(Exclusive,PullUp,0,0,IoRestrictionNone,"\\_SB.GPI0"){0}),F0,1} Method(_INI){ F0=1 }}

//= serial SERIALBUS_REGION auto:_INI
Device(\_SB.D1){ OperationRegion(R,GenericSerialBus,0,0x100) Field(R,BufferAcc,NoLock,Preserve){Connection(I2cSerialBusV2(0x1A,ControllerInitiated,0x61A80,AddressingMode7Bit,"\\_SB.I2C0",0,ResourceConsumer,,Exclusive)),AccessAs(BufferAcc,AttribByte),F0,8} Method(_INI){ Local0=F0 }}

//= cmos CMOS_REGION auto:_INI
Device(\_SB.D1){ OperationRegion(R,SystemCMOS,0,0x40) Field(R,ByteAcc,NoLock,Preserve){F0,8} Method(_INI){ F0=1 }}

//= cmosio CMOS_REGION auto:_INI
Device(\_SB.D1){ OperationRegion(R,SystemIO,0x70,2) Field(R,ByteAcc,NoLock,Preserve){F0,8,F1,8} IndexField(F0,F1,ByteAcc,NoLock,Preserve){Offset(0x10),CC,8} Method(_INI){ CC=1 }}

//= loadbuf LOAD auto:_INI
Device(\_SB.D1){ Name(B,Buffer(){0x53,0x53,0x44,0x54,0x2B,0,0,0,2,0}) Method(_INI,0,Serialized){ Load(B,Local0) }}

//= loadreg LOAD auto:_INI
Device(\_SB.D1){ OperationRegion(R,SystemMemory,0x1000000,0x1000) Method(_INI,0,Serialized){ Load(R,Local0) }}

//= ecam PCI_CONFIG_WRITE auto:_INI
Device(\_SB.D1){ OperationRegion(R,SystemMemory,0xB00F8000,0x1000) Field(R,DWordAcc,NoLock,Preserve){F0,32} Method(_INI){ F0=1 }}

//= nestif MEM_RAM_WRITE auto:load
If(One){ Scope(\_SB){ If(One){ OperationRegion(R,SystemMemory,0x1000000,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 } } }

//= host64 MEM_DYNAMIC_ADDR auto:_INI
Device(\_SB.D1){ OperationRegion(H,SystemMemory,0xFED00000,0x10) Field(H,QWordAcc,NoLock,Preserve){HV,64} Method(_INI){ OperationRegion(R,SystemMemory,HV & 0xFFFFF000,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 }}

//= notifywhile NOTIFY_STORM event:_Exx
Scope(\_GPE){ Method(_E02){ While(One){ Notify(\_SB,0) } } }

//= ev MEM_RAM_WRITE event:_EVT
Device(\_SB.GED1){ Name(_HID,"ACPI0013") OperationRegion(R,SystemMemory,0x1000000,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} Method(_EVT,1){ If(Arg0==3){F0=1} } }

//= divloop LOOP_UNBOUNDED auto:_INI
Device(\_SB.D1){ Method(_INI){ Local0=1 While(Local0!=0){ Local0 |= 1 } }}

//= loopbound LOOP_BOUNDED auto:_INI
Device(\_SB.D1){ Method(_INI){ For(Local0=0, Local0<0x1000, Local0++){ Sleep(1) } }}

//= bombname NAMESPACE_BOMB auto:_INI
Device(\_SB.D1){ Method(MK,0,Serialized){ Name(\XXXX,1) } Method(_INI){ Local0=0 While(Local0<0x10000){ MK() Local0++ } }}

//= mech1dyn IO_PCI_MECH1 auto:_INI
Device(\_SB.D1){ Method(PW,2,Serialized){ OperationRegion(R,SystemIO,Arg0,4) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=Arg1 } Method(_INI){ PW(0xCF8,0x80000000) PW(0xCFC,1) }}

//= concat MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){ Name(B1,Buffer(){0,0,0,1}) Method(_INI){ Local0=Concatenate(B1,Buffer(){0,0,0,0}) CreateDWordField(Local0,0,AA) OperationRegion(R,SystemMemory,AA,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 }}

//= storestr MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){ Name(S,"1000000") Method(_INI){ Local0 = S + 0 OperationRegion(R,SystemMemory,Local0,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 }}

//= oksta - -
Device(\_SB.D1){ Name(_HID,"WAR0101") Name(_STA,15) Method(FOO,1){ Local0=Arg0+1 Return(Local0) } Method(_CRS){ Name(BUF0,ResourceTemplate(){ IO(Decode16,0x400,0x400,1,1) }) CreateWordField(BUF0,2,MN) MN=0x500 Return(BUF0) } }

//= okmmio - -
Device(\_SB.D1){ Name(BAS,0xFEB00000) Method(_INI){ Local0=BAS+0x1000 OperationRegion(R,SystemMemory,Local0,0x100) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 Local1=0 While(Local1<10){ Local1++ } } }

//= okbounded - -
Device(\_SB.D1){ Method(RD,1,Serialized){ If(Arg0>=0x100){Return(0)} OperationRegion(R,SystemMemory,0xFED40000+Arg0,1) Field(R,ByteAcc,NoLock,Preserve){F0,8} Return(F0) } Method(_DSM,4){ Return(RD(Arg2)) } }

//= psdt AML_IN_PSDT auto:load PSDT
Device(\_SB.D1){ Name(_HID,"WAR0200") }

//= osdt MEM_RAM_WRITE auto:_INI OSDT
Device(\_SB.D1){ OperationRegion(R,SystemMemory,0x1000000,0x10) Field(R,DWordAcc,NoLock,Preserve){F0,32} Method(_INI){ F0=1 } }

//= region-replaced-in-a-call MEM_RAM_WRITE auto:_INI
OperationRegion(RAMR,SystemMemory,0x1000000,0x10)
Device(\_SB.D1){
  Method(EVIL,0,Serialized){ CopyObject(RAMR,\_SB.D1._INI.RGNL) }
  Method(_INI,0,Serialized){ OperationRegion(RGNL,SystemMemory,0xFED00000,0x10) Field(RGNL,DWordAcc,NoLock,Preserve){F0,32} EVIL() F0=1 }
}

//= masked-host-address MEM_DYNAMIC_ADDR auto:_INI
Device(\_SB.D1){
  OperationRegion(H,SystemIO,0x0402,1) Field(H,ByteAcc,NoLock,Preserve){HV,8}
  Method(_INI,0,Serialized){ Local0=(HV<<20) OperationRegion(R,SystemMemory,Local0,4) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 }
}

//= package-of-regions-in-a-loop MEM_RAM_WRITE auto:_INI
Device(\_SB.D1){
  Name(AD,Package(){0xFED00000,0xFED10000,0x1000000})
  Method(PUT,1,Serialized){ OperationRegion(R,SystemMemory,Arg0,4) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 }
  Method(_INI){ Local0=0 While(Local0<SizeOf(AD)){ PUT(DerefOf(AD[Local0])) Local0++ } }
}

//= ok-package-of-devices-in-a-loop - -
Device(\_SB.D1){
  Name(AD,Package(){0xFED00000,0xFED10000,0xFED40000})
  Method(PUT,1,Serialized){ OperationRegion(R,SystemMemory,Arg0,4) Field(R,DWordAcc,NoLock,Preserve){F0,32} F0=1 }
  Method(_INI){ Local0=0 While(Local0<SizeOf(AD)){ PUT(DerefOf(AD[Local0])) Local0++ } }
}

//= ok-wait-that-is-signalled - -
Device(\_SB.D1){ Event(EV) Mutex(MU,0) Method(_INI){ Signal(EV) Wait(EV,0xFFFF) Acquire(MU,0xFFFF) Sleep(10) Release(MU) } }
