#!/usr/bin/env node
// An installed package runs its dist; in the workspace the sources run as they are, which needs the source condition.
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

if (import.meta.url.includes("/node_modules/")) {
  await import("../dist/main.js")
} else {
  const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))
  const options = ["--conditions=@leat/source", "--disable-warning=ExperimentalWarning", main, ...process.argv.slice(2)]
  // In place of this process, where that can be done: a signal then reaches the command, whoever sends it.
  if (process.execve !== undefined && process.platform !== "win32") {
    process.removeAllListeners("warning")
    process.execve(process.execPath, [process.execPath, ...options], process.env)
  }
  const { status, signal } = spawnSync(process.execPath, options, { stdio: "inherit" })
  process.exitCode = status ?? (signal === "SIGINT" ? 130 : 143)
}
