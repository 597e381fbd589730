import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { findKafka } from "@leat/brokers"
import { installed, orMissing, type Program, type ProgramMissing, runTool } from "./Program.ts"

const sources = ["Peer.java", "ProtoJson.java"].map((name) =>
  fileURLToPath(new URL(`../../foreign/${name}`, import.meta.url))
)

/** `Peer.java` over the jars of the Kafka harness, compiled into `cache`. */
export const findJavaPeer = (cache: string): Promise<Program | ProgramMissing> =>
  orMissing("install a JDK of Java 17 or newer, and Maven", async () => {
    const kafka = await findKafka()
    if ("reason" in kafka) throw new Error(kafka.reason)
    const { classArchive, classPath } = kafka
    const { java } = kafka.java
    const hash = createHash("sha256")
    for (const path of sources) hash.update(readFileSync(path))
    const key = hash.update(kafka.java.version).update(classPath).digest("hex").slice(0, 16)
    const classes = await installed(join(cache, `java-${key}`), (building) => {
      const javac = java === "java" ? "javac" : join(dirname(java), "javac")
      return runTool(javac, ["-cp", classPath, "-d", building, ...sources])
    })
    // It lives for seconds: the first tier of the compiler is enough, and most of its classes are in the broker's archive.
    const small = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    const archive = ["-Xshare:auto", `-XX:SharedArchiveFile=${classArchive}`, "-Xlog:disable", "-Xlog:all=error:stderr"]
    return { command: java, args: [...small, ...archive, "-cp", `${classPath}:${classes}`, "Peer"], environment: {} }
  })
