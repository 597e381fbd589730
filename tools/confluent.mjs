// Makes @confluentinc/kafka-javascript usable: npm installs it without its native addon. The addon comes from a cache outside
// the repository, else as the vendor's prebuilt, else from its sources, with zstd wherever its sources can be had. Exit code 0: usable;
// 1: what to install. No dependencies. With --cached it only looks into the cache, and says nothing where it finds nothing.
import { spawnSync } from "node:child_process"
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { createRequire } from "node:module"
import { homedir, availableParallelism } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { buildAddon, errorLines } from "./confluent/build.mjs"
import { buildZstd } from "./confluent/zstd.mjs"

const name = "@confluentinc/kafka-javascript"
const prebuiltMsMax = 20_000
const loadMsMax = 20_000
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const say = (sentence) => process.stderr.write(`leat: ${sentence}\n`)

function end(sentence, exitCode) {
  say(sentence)
  process.exit(exitCode)
}

const folder = packageFolder()
const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
const isCachedOnly = process.argv.includes("--cached")
/** The addons of the cache by whether they have zstd. */
const cacheOf = (withZstd) =>
  join(cacheFolder(), `confluent-${version}${withZstd ? "-zstd" : ""}-node${process.versions.modules}-${platform()}`)

if (hasZstd()) end(`${name} ${version} is usable${existsSync(cacheOf(true)) ? "" : keep()}`, 0)
if (isCachedOnly) {
  if (fromCache(true) && hasZstd()) end(`${name} ${version} is usable, from the cache`, 0)
  if (!loads() && fromCache(false) && loads()) end(`${name} ${version} is usable, from the cache, without zstd`, 0)
  process.exit(0)
}
if (fromCache(true) && hasZstd()) end(`${name} ${version} is usable, from the cache`, 0)
if (fetchPrebuilt() && hasZstd()) end(`${name} ${version} is usable, as its makers built it${keep()}`, 0)
const missing = missingTools()
if (missing.length > 0) endWithout(`install ${missing.join(", ")}, then say npm run confluent again`)
const npm = process.env.npm_execpath
if (npm === undefined) end("run this through npm (npm run confluent), which knows where npm is", 1)
const zstd = buildZstd({ cacheFolder: cacheFolder(), npm, jobs: availableParallelism(), unpack })
if (zstd.log !== undefined) process.stderr.write(`${errorLines(zstd.log).join("\n")}\n`)
if (zstd.missing !== undefined && (loads() || (fromCache(false) && loads()))) endWithout(zstd.missing)
build()
if (!loads()) end(`${name} was built, and still does not load: ${whyNotLoaded()}`, 1)
if (!hasZstd()) endWithout(`${zstd.missing ?? "librdkafka did not take it"}${keep()}`)
end(`${name} ${version} is usable, built from its sources${keep()}`, 0)

/** An addon without zstd is better than none. */
function endWithout(reason) {
  if (loads()) end(`${name} ${version} is usable, but without zstd: ${reason}`, 0)
  end(`${name} must be built from its sources: ${reason}`, 1)
}

function packageFolder() {
  const from = createRequire(join(root, "test", "brokers", "package.json"))
  try {
    return dirname(from.resolve(`${name}/package.json`))
  } catch {
    if (isCachedOnly) process.exit(0)
    return end(`${name} is not installed: say npm ci, without --omit=optional`, 1)
  }
}

function cacheFolder() {
  const configured = process.env.XDG_CACHE_HOME
  return join(configured ? configured : join(homedir(), ".cache"), "leat")
}

/** What a binary fits: the system, the processor, and the C library. */
function platform() {
  const { glibcVersionRuntime } = process.report.getReport().header
  const libc = process.platform === "linux" ? (glibcVersionRuntime === undefined ? "-musl" : "-glibc") : ""
  return `${process.platform}-${process.arch}${libc}`
}

/** In a process of its own, because an addon that does not fit may end the one that loads it. Prints what librdkafka was built with. */
function tryToLoad() {
  return spawnSync(process.execPath, ["-e", `console.log(...require(${JSON.stringify(folder)}).features)`], {
    encoding: "utf8",
    timeout: loadMsMax
  })
}

function loads() {
  return tryToLoad().status === 0
}

function hasZstd() {
  const { status, stdout } = tryToLoad()
  return status === 0 && stdout.trim().split(" ").includes("zstd")
}

function whyNotLoaded() {
  const { stderr, signal } = tryToLoad()
  return /^\w*Error: .*$/m.exec(stderr)?.[0] ?? `it ended with ${signal ?? "no word"}`
}

/**
 * The addon, and the libraries that it looks for in `../deps` beside its own folder, wherever that is. Tells whether there is one.
 */
function copyAddon(from, to) {
  const isLibrary = (file) => /^librdkafka(\+\+)?\.(so\.\d+|\d+\.dylib)$/.test(file)
  const filesOf = (part, wanted) =>
    existsSync(join(from, "build", part))
      ? readdirSync(join(from, "build", part))
          .filter(wanted)
          .map((file) => join("build", part, file))
      : []
  const addons = filesOf("Release", (file) => file.endsWith(".node"))
  for (const file of [...addons, ...filesOf("deps", isLibrary)]) {
    mkdirSync(dirname(join(to, file)), { recursive: true })
    // A file that a process has mapped must not be written over: its successor takes its name.
    rmSync(join(to, file), { force: true })
    cpSync(join(from, file), join(to, file))
  }
  return addons.length > 0
}

function fromCache(withZstd) {
  return existsSync(cacheOf(withZstd)) && copyAddon(cacheOf(withZstd), folder)
}

/** Puts the addon into the cache, whole or not at all. */
function keep() {
  const cached = cacheOf(hasZstd())
  try {
    mkdirSync(dirname(cached), { recursive: true })
    const incomplete = mkdtempSync(`${cached}.incomplete-`)
    copyAddon(folder, incomplete)
    rmSync(cached, { recursive: true, force: true })
    renameSync(incomplete, cached)
    return ""
  } catch (error) {
    return `, but not kept for other clones: ${error.message}`
  }
}

function fetchPrebuilt() {
  const from = createRequire(join(folder, "package.json"))
  const program = join(dirname(from.resolve("@mapbox/node-pre-gyp/package.json")), "bin", "node-pre-gyp")
  const options = { cwd: folder, stdio: "ignore", timeout: prebuiltMsMax, killSignal: "SIGKILL" }
  return spawnSync(process.execPath, [program, "install"], options).status === 0
}

/** What the build needs and this machine lacks, as one would ask a package manager for it. */
function missingTools() {
  const has = (command, ...args) => spawnSync(command, args, { stdio: "ignore" }).status === 0
  const preprocess = ["-E", "-x", "c++", "-"]
  const hasHeader = (header) =>
    existsSync(join("/usr/include", header)) ||
    spawnSync("g++", preprocess, { input: `#include <${header}>\n`, stdio: ["pipe", "ignore", "ignore"] }).status === 0
  const tools = [
    ["a C++ compiler (g++)", () => has("g++", "--version")],
    ["make", () => has("make", "--version")],
    ["python3", () => has("python3", "--version")],
    ["bash", () => has("bash", "--version")]
  ].filter(([, isHere]) => !isHere())
  const headers = [
    ["the headers of OpenSSL (libssl-dev)", "openssl/ssl.h"],
    ["the headers of zlib (zlib1g-dev)", "zlib.h"]
  ].filter(([, header]) => !hasHeader(header))
  return [...tools, ...headers].map(([what]) => what)
}

function unpack(archive, into) {
  createRequire(join(folder, "package.json"))("tar").extract({ file: archive, cwd: into, sync: true })
}

function build() {
  say(`building ${name} from its sources, once per machine; this takes minutes`)
  const headers = join(root, "node_modules", `node-${process.platform}-${process.arch}`)
  const { isBuilt, log } = buildAddon({
    name,
    root,
    npm,
    zstd: zstd.missing === undefined ? zstd : undefined,
    headers: existsSync(join(headers, "include")) ? headers : undefined
  })
  zstd.remove?.()
  if (isBuilt) return
  const path = join(cacheFolder(), "confluent-build.log")
  writeFileSync(path, log)
  process.stderr.write(`${errorLines(log).join("\n")}\n`)
  end(`${name} could not be built; the lines above say why, and all of them are in ${path}`, 1)
}
