// Installs what is missing, before npm start and npm test. No dependencies, and any Node from 18 on can run it: it is what
// brings the repository's own Node 24. Everything it says goes to stderr, because stdout belongs to the program.
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const lockPath = join(root, ".bootstrap.lock")
const stampPath = join(root, "node_modules", ".leat-stamp")
const waitMs = 500
const waitsMax = 1200

const stamp = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex")
/** By the repository's own Node: the addon has to fit it, and this may still be another. */
const runOwn = (...args) => {
  const bin = join(root, "node_modules", ".bin")
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH ?? ""}` }
  spawnSync(join(bin, "node"), args, { cwd: root, env, stdio: ["ignore", 2, 2] })
}
const isInstalled = () => existsSync(stampPath) && readFileSync(stampPath, "utf8") === stamp

/** One install at a time: two at once leave a broken tree that npm itself calls complete. */
function lock() {
  for (let waits = 0; waits < waitsMax; waits++) {
    try {
      const file = openSync(lockPath, "wx")
      writeSync(file, String(process.pid))
      closeSync(file)
      return true
    } catch (error) {
      if (error.code !== "EEXIST") throw error
    }
    if (isInstalled()) return false
    const owner = Number(existsSync(lockPath) ? readFileSync(lockPath, "utf8") : "")
    if (owner > 0 && !isAlive(owner)) rmSync(lockPath, { force: true })
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, waitMs)
  }
  fail("another install has held .bootstrap.lock for ten minutes; remove that file if none is running")
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === "EPERM"
  }
}

function fail(sentence) {
  process.stderr.write(`leat: ${sentence}\n`)
  process.exit(1)
}

if (!isInstalled() && lock()) {
  try {
    if (!isInstalled()) {
      const npm = process.env.npm_execpath
      if (npm === undefined) fail("run this through npm (npm start, npm test), which knows where npm is")
      process.stderr.write("leat: installing dependencies (npm ci), once per lockfile\n")
      const command = [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
      const result = spawnSync(process.execPath, command, { cwd: root, stdio: ["ignore", 2, 2] })
      if (result.status !== 0) fail(`npm ci failed with exit code ${result.status}; the lines above say why`)
      runOwn("tools/confluent.mjs", "--cached")
      writeFileSync(stampPath, stamp)
    }
  } finally {
    rmSync(lockPath, { force: true })
  }
}

// For a person, suites that need the addon are skipped by name until `npm run confluent`; in CI they have to run.
if (!["", "0", "false", undefined].includes(process.env.CI) && process.env.npm_lifecycle_event === "pretest")
  runOwn("tools/confluent.mjs")
