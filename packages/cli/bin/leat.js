#!/usr/bin/env node
// An installed package runs its dist; in the workspace the sources run as they are, which needs the source condition.
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
const isInstalled = import.meta.url.includes("/node_modules/")

if (major < 22 || (major === 22 && minor < 22)) {
  console.error(`leat: the command needs Node 22.22 or newer, and this is Node ${process.versions.node}`)
  process.exitCode = 1
} else if (isInstalled && major >= 24) {
  await import("../dist/main.js")
} else {
  // Node 22 warns that its SQLite is experimental, in each thread that loads it.
  const conditions = isInstalled ? [] : ["--conditions=@leat/source"]
  const main = fileURLToPath(new URL(isInstalled ? "../dist/main.js" : "../src/main.ts", import.meta.url))
  const options = [...conditions, "--disable-warning=ExperimentalWarning", main, ...process.argv.slice(2)]
  // In place of this process, where that can be done: a signal then reaches the command, whoever sends it.
  if (process.execve !== undefined && process.platform !== "win32") {
    process.removeAllListeners("warning")
    process.execve(process.execPath, [process.execPath, ...options], process.env)
  }
  const { status, signal } = spawnSync(process.execPath, options, { stdio: "inherit" })
  process.exitCode = status ?? (signal === "SIGINT" ? 130 : 143)
}
