/**
 * How systems begin their lines. A head is what stands before a time, the time, and what stands behind it; the message follows. Named groups
 * say what a part is: level, priority, status, host, program, pid, component. A head whose level is no known word is none.
 */
export interface Head {
  readonly before: RegExp
  /** The first that fits is taken; those that say more stand first. */
  readonly after: ReadonlyArray<RegExp>
  readonly program?: string
}

const level = String.raw`(?<level>[A-Za-z]{3,13})`
const pid = String.raw`(?<pid>\d{1,10})`
/** A word of a head: of host, class, module. */
const word = (name: string, charsMax = 255) => String.raw`(?<${name}>[^\s:,|\]\[]{1,${charsMax}})`
const sticky = (source: string) => new RegExp(source, "y")

/** `host program[pid]: `, as syslog has it. */
const syslog = sticky(
  String.raw` (?<host>[^\s:=[\]]{1,255}) {1,2}(?<program>[^:[\s()]{1,128}(?:\([^)]{0,128}\))?)(?:\[(?:${pid}|[\w-]{1,64})\])?: ?`
)

/** Lines that begin with their time, in brackets or not. */
const timeFirst: Head = {
  before: sticky(String.raw`(?:<(?<priority>\d{1,3})>)?[[(<"]?`),
  after: [
    // ZooKeeper: ` - INFO  [thread:Class@line] - message`
    String.raw` - ${level} {1,5}\[(?<component>[^\s]{1,255}?)\] - `,
    // Python: ` - logger - INFO - message`
    String.raw` - (?<component>[\w.$-]{1,128}) - ${level} - `,
    // Hadoop, log4j: ` INFO [thread] Class: message`
    String.raw` {1,2}\[?${level}\]? {1,3}\[[^\]]{0,255}\] (?<component>[\w.$/-]{1,255})(?::| -) `,
    // Spring: `  INFO 1234 --- [thread] Class : message`
    String.raw` {1,3}${level} ${pid} --- (?:\[[^\]]{0,255}\] ){1,3}(?<component>[\w.$/-]{1,255}) {0,64}: `,
    // Logback: ` [thread] INFO Class - message`
    String.raw` \[[^\]]{0,255}\] ${level} {1,3}(?<component>[\w.$/-]{1,255})(?: -|:) `,
    // HDFS: ` 148 INFO Class: message`; OpenStack without its file: ` 25746 INFO module [request] message`
    String.raw` ${pid} ${level} (?<component>[\w.$/-]{1,255}):? `,
    // Spark: ` INFO Class: message`
    String.raw` {1,2}${level} {1,3}(?<component>[\w.$/-]{1,255}): `,
    // PostgreSQL: ` [1234] LOG:  message`
    String.raw` \[${pid}(?:-\d{1,9})?\] (?:\S{1,128} )?${level}: {1,2}`,
    // nginx: ` [error] 1234#0: message`
    String.raw` \[${level}\] ${pid}#\d{1,10}: `,
    // Apache: `] [module:error] [pid 1234:tid 5678] message`
    String.raw`\] \[(?:(?<component>\w{1,64}):)?${level}\] (?:\[pid ${pid}[^\]]{0,64}\] )?`,
    // MySQL: ` 12 [Note] message`
    String.raw` {1,2}\d{1,10} \[${level}\] `,
    // Ruby: ` #1234]  INFO -- program: message`
    String.raw` #${pid}\] {1,3}${level} -- (?<program>[^\s:]{0,128}): `,
    // Android: `  1702  2395 D Tag: message`
    String.raw` {1,6}${pid} {1,6}\d{1,10} (?<level>[VDIWEFA]) (?<component>[^\s:][^:]{0,127}?) {0,64}: ?`,
    // glog: `    1234 file.go:123] message`
    String.raw` {1,8}${pid} (?<component>[\w./-]{1,128}:\d{1,7})\] `,
    // HealthApp: `|Step_LSC|30002312|message`
    String.raw`\|(?<component>[\w.-]{1,128})\|${pid}\|`,
    // Windows: `, Info                  CBS    message`
    String.raw`, ${level} {1,40}${word("component", 64)} {1,40}`,
    // Proxifier: `] chrome.exe *64 - message`
    String.raw`\] (?<program>[^\s\]]{1,128})(?: \*64)? - `,
    // Any: the time, then a level
    String.raw`["\])>]?[ \t]{0,4}[-|,:]?[ \t]{0,4}[[(<|]?${level}[\])>|]?(?:[ \t]{0,8}[-|:][ \t]{1,8}|[ \t]{1,8}|(?=\[))`
  ].map(sticky)
}

/** RFC 5424: `<165>1 TIME host program pid id [data] message` */
const structuredSyslog: Head = {
  before: sticky(String.raw`<(?<priority>\d{1,3})>\d{1,2} `),
  after: [
    sticky(
      String.raw` ${word("host")} (?<program>\S{1,128}) (?:${pid}|-|\S{1,128}) (?:-|[^\s=]{1,32}) (?:-|(?:\[[\w.@-]{1,64}(?: [\w.@-]{1,32}="(?:[^"\\\]]|\\.){0,255}")*\]){1,8})(?: |$)`
    )
  ]
}

/** A time alone: any line that begins with one. */
const timeAlone: Head = {
  before: timeFirst.before,
  after: [sticky(String.raw`["\])>]?[ \t]{0,4}(?:[-|,:;][ \t]{1,4})?`)]
}

/** `host program[pid]: message` behind a time as syslog writes it: without a year, or with a zone. Behind others stand words. */
const syslogHead: Head = {
  before: sticky(
    String.raw`(?:<(?<priority>\d{1,3})>)?(?=[A-Z][a-z]{2} |\d{4}-\d{2}-\d{2}T[\d:.,]{8,20}(?:Z|[+-]\d{2}:?\d{2}) )`
  ),
  after: [syslog]
}

/** A level, then a time: `[INFO] 2024-01-02 ...`, `I0102 03:04:05.678901 ...`, `I, [2024-01-02T03:04:05 #1234] ...` */
const levelFirst: Head = {
  before: sticky(String.raw`(?:(?<level>[DIWEFC])(?:, \[)?(?=\d)|\[?(?<level2>[A-Za-z]{3,13})\]?[ \t:|-]{1,4}[[(]?)`),
  after: [...timeFirst.after, ...timeAlone.after]
}

/** Heads by what stands before their time. */
export const heads: ReadonlyArray<Head> = [
  syslogHead,
  structuredSyslog,
  timeFirst,
  timeAlone,
  levelFirst,
  {
    // Docker Compose: `web-1  | TIME INFO message`
    before: sticky(String.raw`(?<program>[\w.-]{1,64}) {1,32}\| [[(]?`),
    after: [...timeFirst.after, ...timeAlone.after]
  },
  {
    // OpenStack: `nova-api.log.1.2017-05-16_13:53:08 TIME 25746 INFO module message`
    before: sticky(String.raw`(?<program>[\w-]{1,64})\.log\S{0,128} `),
    after: [sticky(String.raw` ${pid} ${level} (?<component>\S{1,255}) `)]
  },
  {
    // Supercomputers: `- 1117838570 2005.06.03 NODE TIME NODE RAS KERNEL INFO message`
    before: sticky(String.raw`\S{1,64} \d{9,10} \d{4}\.\d{2}\.\d{2} (?<host>\S{1,128}) `),
    after: [
      sticky(String.raw` \S{1,128} (?<component>[A-Z]{1,32} [A-Z]{1,32}) ${level} `),
      sticky(String.raw` \S{1,255} (?<program>[^:[\s()]{1,128}(?:\([^)]{0,128}\))?)(?:\[${pid}\])?: ?`),
      sticky(String.raw` \S{1,255} `)
    ]
  },
  {
    // HPC: `134681 node-246 unix.hw state_change.unavailable TIME 1 message`
    before: sticky(String.raw`\d{1,10} (?<host>\S{1,128}) (?<component>\S{1,128} \S{1,128}) (?=1\d{9} )`),
    after: [sticky(String.raw` \d{1,3} `)]
  },
  {
    // Access logs of web servers: `client - user [TIME] "GET / HTTP/1.1" 200 12`. Client and request are message.
    before: sticky(String.raw`(?:\S{1,255} ){3}\[(?=\d)`),
    after: [sticky(String.raw`\] (?="[^"]{0,800}" (?<status>\d{3})\b)`)],
    program: "access"
  }
]
