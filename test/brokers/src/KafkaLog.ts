import { readFile } from "node:fs/promises"
import { join } from "node:path"

const tailLines = 25

/** Configuration of log4j: warnings go to the file that the JVM is told in `-Dleat.log`. */
export const log4jConfiguration = `<Configuration status="ERROR">
  <Appenders>
    <File name="file" fileName="\${sys:leat.log}">
      <PatternLayout pattern="%d{ISO8601} %p %c{1}: %m%n%throwable"/>
    </File>
  </Appenders>
  <Loggers>
    <Root level="WARN"><AppenderRef ref="file"/></Root>
  </Loggers>
</Configuration>
`

export const logPath = (nodeFolder: string): string => join(nodeFolder, "kafka.log")
export const consolePath = (nodeFolder: string): string => join(nodeFolder, "console.log")

/** Longer than everything else, and about Kafka's own sources. */
const isOfStackTrace = (line: string) => /^\s+(at |\.\.\. \d+ more)/.test(line)

/** The last lines that a node wrote: what to read when it does not start. */
export async function logTail(nodeFolder: string): Promise<string> {
  const texts = await Promise.all(
    [consolePath(nodeFolder), logPath(nodeFolder)].map((path) => readFile(path, "utf8").catch(() => ""))
  )
  return texts
    .join("")
    .split("\n")
    .filter((line) => line.trim() !== "" && !isOfStackTrace(line))
    .slice(-tailLines)
    .join("\n")
}
