import { describe, expect, it } from "vitest"
import { Severity } from "../../src/gen/risk/v1/log.ts"
import { readEvents } from "./readLog.ts"

const { DEBUG, INFO, WARN, ERROR } = Severity
/** Of a line that names no host, in `some.log`. */
const host = "some"

interface Case {
  readonly line: string
  readonly at: string
  readonly severity: number
  readonly host?: string
  readonly program?: string
  readonly pid?: number
  readonly component?: string
  /** Absent: the whole line. */
  readonly message?: string
}

const systems: Readonly<Record<string, Case>> = {
  HDFS: {
    line: "081109 203615 148 INFO dfs.DataNode$PacketResponder: PacketResponder 1 terminating",
    at: "2008-11-09T20:36:15",
    severity: INFO,
    pid: 148,
    component: "dfs.DataNode$PacketResponder",
    message: "PacketResponder 1 terminating"
  },
  Hadoop: {
    line: "2015-10-18 18:01:47,978 WARN [main] org.apache.hadoop.mapreduce.v2.app.MRAppMaster: Created",
    at: "2015-10-18T18:01:47.978",
    severity: WARN,
    component: "org.apache.hadoop.mapreduce.v2.app.MRAppMaster",
    message: "Created"
  },
  Spark: {
    line: "17/06/09 20:10:40 INFO executor.CoarseGrainedExecutorBackend: Registered signal handlers",
    at: "2017-06-09T20:10:40",
    severity: INFO,
    component: "executor.CoarseGrainedExecutorBackend",
    message: "Registered signal handlers"
  },
  ZooKeeper: {
    line: "2015-07-29 17:41:44,747 - INFO  [QuorumPeer[myid=1]/0:0:0:0:2181:FastLeaderElection@774] - Notification",
    at: "2015-07-29T17:41:44.747",
    severity: INFO,
    component: "QuorumPeer[myid=1]/0:0:0:0:2181:FastLeaderElection@774",
    message: "Notification"
  },
  BGL: {
    line: "- 1117838570 2005.06.03 R02-M1 2005-06-03-15.42.50.363779 R02-M1 RAS KERNEL FATAL parity error corrected",
    at: "2005-06-03T15:42:50.363779",
    severity: ERROR,
    host: "R02-M1",
    component: "RAS KERNEL",
    message: "parity error corrected"
  },
  HPC: {
    line: "134681 node-246 unix.hw state_change.unavailable 1077804742 1 Component State Change",
    at: "2004-02-26T14:12:22",
    severity: INFO,
    host: "node-246",
    component: "unix.hw state_change.unavailable",
    message: "Component State Change"
  },
  Thunderbird: {
    line: "- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond(pam_unix)[2915]: session closed",
    at: "2016-11-09T12:01:01",
    severity: INFO,
    host: "dn228",
    program: "crond(pam_unix)",
    pid: 2915,
    message: "session closed"
  },
  Windows: {
    line: "2016-09-28 04:30:30, Info                  CBS    Loaded Servicing Stack",
    at: "2016-09-28T04:30:30",
    severity: INFO,
    component: "CBS",
    message: "Loaded Servicing Stack"
  },
  Linux: {
    line: "Jun 14 15:16:02 combo sshd(pam_unix)[19937]: check pass; user unknown",
    at: "2016-06-14T15:16:02",
    severity: INFO,
    host: "combo",
    program: "sshd(pam_unix)",
    pid: 19937,
    message: "check pass; user unknown"
  },
  Android: {
    line: "03-17 16:13:38.811  1702  2395 D WindowManager: printFreezingDisplayLogsopening",
    at: "2016-03-17T16:13:38.811",
    severity: DEBUG,
    pid: 1702,
    component: "WindowManager",
    message: "printFreezingDisplayLogsopening"
  },
  HealthApp: {
    line: "20171224-0:7:20:4|Step_LSC|30002312|onStandStepChanged 3579",
    at: "2017-12-24T00:07:20.004",
    severity: INFO,
    pid: 30002312,
    component: "Step_LSC",
    message: "onStandStepChanged 3579"
  },
  Apache: {
    line: "[Sun Dec 04 04:47:44 2005] [error] mod_jk child workerEnv in error state 6",
    at: "2005-12-04T04:47:44",
    severity: ERROR,
    message: "mod_jk child workerEnv in error state 6"
  },
  "Apache 2.4": {
    line: "[Fri Sep 09 10:42:29.902022 2011] [core:warn] [pid 35708:tid 4328] [client 192.0.2.1] File does not exist",
    at: "2011-09-09T10:42:29.902022",
    severity: WARN,
    pid: 35708,
    component: "core",
    message: "[client 192.0.2.1] File does not exist"
  },
  Proxifier: {
    line: "[10.30 16:49:06] chrome.exe *64 - proxy.example:5070 close, 0 bytes sent",
    at: "2016-10-30T16:49:06",
    severity: INFO,
    program: "chrome.exe",
    message: "proxy.example:5070 close, 0 bytes sent"
  },
  OpenStack: {
    line: 'nova-api.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 25746 INFO nova.osapi [req-1 2 3] "GET /v2"',
    at: "2017-05-16T00:00:00.008",
    severity: INFO,
    program: "nova-api",
    pid: 25746,
    component: "nova.osapi",
    message: '[req-1 2 3] "GET /v2"'
  },
  Mac: {
    line: "Jul  1 09:00:55 calvisitor-10 com.apple.CDScheduler[43]: Thermal pressure state: 1",
    at: "2016-07-01T09:00:55",
    severity: INFO,
    host: "calvisitor-10",
    program: "com.apple.CDScheduler",
    pid: 43,
    message: "Thermal pressure state: 1"
  }
}

const loggers: Readonly<Record<string, Case>> = {
  "JSON of JavaScript": {
    line: '{"level":50,"time":1700000000123,"pid":12,"hostname":"web-1","msg":"down"}',
    at: "2023-11-14T22:13:20.123",
    severity: ERROR,
    host: "web-1",
    pid: 12
  },
  "JSON with words": {
    line: '{"@timestamp":"2024-01-02T03:04:05.5+02:00","log.level":"WARN","service":"shop","logger":"a.b","message":"x"}',
    at: "2024-01-02T01:04:05.5",
    severity: WARN,
    program: "shop",
    component: "a.b"
  },
  "JSON inside JSON": {
    line: '{"@timestamp":"2024-01-02T03:04:05Z","log":{"level":"error","logger":"db"},"host":{"name":"h"},"process":{"pid":7}}',
    at: "2024-01-02T03:04:05",
    severity: ERROR,
    host: "h",
    pid: 7,
    component: "db"
  },
  "Docker Compose": {
    line: "web-1  | 2024-01-02T03:04:05.5Z WARN slow",
    at: "2024-01-02T03:04:05.5",
    severity: WARN,
    program: "web-1",
    message: "slow"
  },
  "Java's collector": {
    line: "[2024-01-02T03:04:05.123+0000][warning][gc] Pause",
    at: "2024-01-02T03:04:05.123",
    severity: WARN,
    message: "[gc] Pause"
  },
  "journald with a day of the week": {
    line: "Tue 2024-01-02 03:04:05 CET host1 cron[1]: run",
    at: "2024-01-02T03:04:05",
    severity: INFO,
    message: "CET host1 cron[1]: run"
  },
  zap: {
    line: "2024-01-02T03:04:05.678Z\tERROR\tdb\tno answer",
    at: "2024-01-02T03:04:05.678",
    severity: ERROR,
    message: "db\tno answer"
  },
  "JSON of journald": {
    line: '{"__REALTIME_TIMESTAMP":"1700000000123456","PRIORITY":"3","_HOSTNAME":"h","SYSLOG_IDENTIFIER":"sshd","_PID":"77"}',
    at: "2023-11-14T22:13:20.123456",
    severity: ERROR,
    host: "h",
    program: "sshd",
    pid: 77
  },
  logfmt: {
    line: 'ts=2024-01-02T03:04:05Z level=warn msg="slow \\"query\\"" host=db1 caller=db.go:7',
    at: "2024-01-02T03:04:05",
    severity: WARN,
    host: "db1",
    component: "db.go:7"
  },
  "access log": {
    line: '192.0.2.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.gif HTTP/1.0" 404 2326 "-" "agent"',
    at: "2000-10-10T20:55:36",
    severity: WARN,
    program: "access",
    message: '"GET /a.gif HTTP/1.0" 404 2326 "-" "agent"'
  },
  "nginx errors": {
    line: "2024/01/02 03:04:05 [crit] 1234#0: *1 open() failed",
    at: "2024-01-02T03:04:05",
    severity: ERROR,
    pid: 1234,
    message: "*1 open() failed"
  },
  "RFC 3164": {
    line: "<34>Oct 11 22:14:15 mymachine su: 'su root' failed on /dev/pts/8",
    at: "2016-10-11T22:14:15",
    severity: ERROR,
    host: "mymachine",
    program: "su",
    message: "'su root' failed on /dev/pts/8"
  },
  "RFC 5424": {
    line: '<165>1 2003-10-11T22:14:15.003Z mymachine evntslog 12 ID47 [example@32473 iut="3" q="a\\]b"] An event',
    at: "2003-10-11T22:14:15.003",
    severity: INFO,
    host: "mymachine",
    program: "evntslog",
    pid: 12,
    message: "An event"
  },
  "rsyslog with ISO times": {
    line: "2024-01-02T03:04:05.123456+02:00 host1 cron[123]: run",
    at: "2024-01-02T01:04:05.123456",
    severity: INFO,
    host: "host1",
    program: "cron",
    pid: 123,
    message: "run"
  },
  "journald with ISO times": {
    line: "2024-01-02T03:04:05+0100 host1 kernel: up",
    at: "2024-01-02T02:04:05",
    severity: INFO,
    host: "host1",
    program: "kernel",
    message: "up"
  },
  "Kubernetes, around text": {
    line: "2016-10-06T00:17:09.669794202Z stderr F ERROR disk is full",
    at: "2016-10-06T00:17:09.669794",
    severity: ERROR,
    message: "disk is full"
  },
  "Kubernetes, around JSON": {
    line: '2016-10-06T00:17:09.669794202Z stdout F {"level":"debug","time":1}',
    at: "2016-10-06T00:17:09.669794",
    severity: DEBUG,
    message: '{"level":"debug","time":1}'
  },
  "Docker's JSON": {
    line: '{"log":"hello\\n","stream":"stdout","time":"2024-01-02T03:04:05.678901234Z"}',
    at: "2024-01-02T03:04:05.678901",
    severity: INFO
  },
  glog: {
    line: "W0102 03:04:05.678901    1234 file.go:123] slow",
    at: "2016-01-02T03:04:05.678901",
    severity: WARN,
    pid: 1234,
    component: "file.go:123",
    message: "slow"
  },
  Python: {
    line: "2024-01-02 03:04:05,678 - app.db - ERROR - no answer",
    at: "2024-01-02T03:04:05.678",
    severity: ERROR,
    component: "app.db",
    message: "no answer"
  },
  Ruby: {
    line: "I, [2024-01-02T03:04:05.678901 #1234]  INFO -- shop: hello",
    at: "2024-01-02T03:04:05.678901",
    severity: INFO,
    program: "shop",
    pid: 1234,
    message: "hello"
  },
  Spring: {
    line: "2024-01-02 03:04:05.123  WARN 1234 --- [main] c.f.Bar    : Started",
    at: "2024-01-02T03:04:05.123",
    severity: WARN,
    pid: 1234,
    component: "c.f.Bar",
    message: "Started"
  },
  PostgreSQL: {
    line: "2024-01-02 03:04:05.678 UTC [1234] LOG:  checkpoint",
    at: "2024-01-02T03:04:05.678",
    severity: INFO,
    pid: 1234,
    message: "checkpoint"
  },
  MySQL: {
    line: "2024-01-02T03:04:05.678901Z 0 [Warning] low",
    at: "2024-01-02T03:04:05.678901",
    severity: WARN,
    message: "low"
  },
  "java.util.logging": {
    line: "Jan 02, 2024 3:04:05 PM com.foo.Bar run",
    at: "2024-01-02T15:04:05",
    severity: INFO,
    message: "com.foo.Bar run"
  },
  "a level first": {
    line: "[ERROR] 2024-01-02 03:04:05 full",
    at: "2024-01-02T03:04:05",
    severity: ERROR,
    message: "full"
  },
  "a time without zone": {
    line: "2024-01-02 03:04:05 Connection lost: again",
    at: "2024-01-02T03:04:05",
    severity: INFO,
    message: "Connection lost: again"
  },
  "a mail's time": {
    line: "Tue, 02 Jan 2024 03:04:05 +0200 hello",
    at: "2024-01-02T01:04:05",
    severity: INFO,
    message: "hello"
  },
  "a time of day": { line: "23:04:05.5 hello", at: "2016-12-31T23:04:05.5", severity: INFO, message: "hello" },
  "seconds since 1970": { line: "1700000000.5 hello", at: "2023-11-14T22:13:20.5", severity: INFO, message: "hello" }
}

function event({ line, at, severity, message = line, ...known }: Case) {
  const [second = "", fraction = ""] = at.split(".")
  const { pid, component } = known
  return {
    host: known.host ?? host,
    program: known.program ?? "",
    ...(pid === undefined ? {} : { processId: pid }),
    severity,
    message,
    atUs: BigInt(Date.parse(`${second}Z`)) * 1000n + BigInt(fraction.padEnd(6, "0")),
    ...(component === undefined ? {} : { detail: { case: "service", value: { component } } }),
    inputRef: "some.log:1"
  }
}

describe("what a line says of itself is taken out", () => {
  it.each(Object.entries({ ...systems, ...loggers }))("%s", async (_, one) => {
    expect(await readEvents(`${one.line}\r\n`)).toEqual([event(one)])
  })

  it.each([
    ["no form at all", "just words"],
    ["another script", "Привет, мир: ошибка 第二行"],
    ["JSON that is cut", '{"time":1700000000123,"msg":"x'],
    ["a JSON list", "[1, 2, 3]"],
    ["no day of a month", "2024-06-31 03:04:05 hello"],
    ["a word where a level would be", "GET /index.html"],
    ["seconds since the start of a machine", "[    0.000000] Linux version 6.1"]
  ])("and nothing of %s", async (_, line) => {
    const [told] = await readEvents(line)
    expect(told).toMatchObject({ host, program: "", atUs: 0n })
    expect(line.endsWith(told?.message ?? "?")).toBe(true)
  })

  it("but nothing that is no text or no number of a process", async () => {
    const [told] = await readEvents('{"hostname":"\\ud800","pid":-1,"level":"so so","time":"when"}')
    expect(told).toMatchObject({ host, severity: INFO, atUs: 0n })
    expect(told?.processId).toBeUndefined()
  })
})

describe("a failed log-in", () => {
  it.each([
    ["Failed password for invalid user admin from 203.0.113.7 port 4022 ssh2", "admin", "203.0.113.7"],
    ["authentication failure; logname= uid=0 rhost=203.0.113.7  user=root", "root", "203.0.113.7"],
    ["authentication failure; logname= uid=0 rhost=203.0.113.7 ", "", "203.0.113.7"]
  ])("is found in %s", async (message, user, sourceAddress) => {
    const [told] = await readEvents(`Dec 10 06:55:46 gate sshd[1]: ${message}`)
    expect(told?.detail).toEqual({ case: "loginFailure", value: { user, sourceAddress } })
  })
})

describe("times", () => {
  const secondsOf = async (text: string) => (await readEvents(text)).map(({ atUs }) => Number(atUs / 1_000_000n))
  const at = (text: string) => Date.parse(`${text}Z`) / 1000

  it("without a year go on over New Year, and back again", async () => {
    const log = "Dec 31 23:59:59 h p: a\nJan  1 00:00:01 h p: b\nDec 31 23:59:58 h p: c\nFeb 29 00:00:00 h p: d\n"
    expect(await secondsOf(log)).toEqual([
      at("2016-12-31T23:59:59"),
      at("2017-01-01T00:00:01"),
      at("2016-12-31T23:59:58"),
      at("2016-02-29T00:00:00")
    ])
  })

  it.each([
    ["Jun 14 15:16:01 h p: a", "2026-11-28T10:00:00", "2026-06-14T15:16:01"],
    ["Dec 14 15:16:01 h p: a", "2026-11-28T10:00:00", "2025-12-14T15:16:01"],
    // Written in a zone that is ahead of UTC.
    ["Nov 28 23:16:01 h p: a", "2026-11-28T10:00:00", "2026-11-28T23:16:01"],
    ["Jan  1 08:00:00 h p: a", "2026-12-31T22:00:00", "2027-01-01T08:00:00"],
    ["Feb 29 08:00:00 h p: a", "2026-11-28T10:00:00", "2024-02-29T08:00:00"],
    ["09:59:59 a", "2026-11-28T10:00:00", "2026-11-28T09:59:59"],
    ["10:00:01 a", "2026-11-28T10:00:00", "2026-11-27T10:00:01"],
    // A quiet device: more than half a year is no reason to go back.
    [
      "Jan  2 00:00:00 h p: a\nAug  1 00:00:00 h p: b\nOct  1 00:00:00 h p: c",
      "2026-11-28T10:00:00",
      "2026-10-01T00:00:00"
    ],
    ["Feb  1 00:00:00 h p: a\nJan 10 00:00:00 h p: b", "2027-03-01T10:00:00", "2027-01-10T00:00:00"],
    ["Mar  1 00:00:00 h p: a\nJan 10 00:00:00 h p: b", "2026-11-28T10:00:00", "2026-01-10T00:00:00"],
    // The lines before say more than the file.
    ["2015-03-01 00:00:00 a\nMar  2 00:00:00 h p: b", "2026-11-28T10:00:00", "2015-03-02T00:00:00"]
  ])("of %j, in a file written at %s, are of %s", async (text, written, expected) => {
    const told = await readEvents(text, undefined, at(written) * 1000)
    expect(Number((told.at(-1)?.atUs ?? 0n) / 1_000_000n)).toBe(at(expected))
  })

  it("without a date are of the day before them, over midnight too", async () => {
    expect(await secondsOf("2024-01-02 23:59:58 a\n23:59:59 b\n00:00:01 c\n")).toEqual([
      at("2024-01-02T23:59:58"),
      at("2024-01-02T23:59:59"),
      at("2024-01-03T00:00:01")
    ])
  })

  it("and hosts that a line does not say are those of the line before", async () => {
    const [, second] = await readEvents("Dec 31 23:59:59 gate p: a\nwords\n")
    expect(second).toMatchObject({ host: "gate", program: "", message: "words", inputRef: "some.log:2" })
    expect(second?.atUs).toBe(BigInt(at("2016-12-31T23:59:59")) * 1_000_000n)
  })
})
