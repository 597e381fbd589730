// Makes @confluentinc/kafka-javascript usable: npm installs it without its native addon. The addon comes from a cache outside
// the repository, else as the vendor's prebuilt, else from its sources. Exit code 0: usable; 1: what to install. No dependencies.
// With --cached it only looks into the cache, and says nothing where it finds nothing.
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { homedir, availableParallelism } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const name = "@confluentinc/kafka-javascript"
const prebuiltMsMax = 20_000
const loadMsMax = 20_000
const buildMsMax = 1_800_000
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const say = (sentence) => process.stderr.write(`leat: ${sentence}\n`)

function end(sentence, exitCode) {
  say(sentence)
  process.exit(exitCode)
}

const folder = packageFolder()
const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
const cached = join(cacheFolder(), `confluent-${version}-node${process.versions.modules}-${platform()}`)

if (loads()) end(`${name} ${version} is usable${existsSync(cached) ? "" : keep()}`, 0)
if (existsSync(cached) && copyAddon(cached, folder) && loads()) end(`${name} ${version} is usable, from the cache`, 0)
if (process.argv.includes("--cached")) process.exit(0)
if (fetchPrebuilt() && loads()) end(`${name} ${version} is usable, as its makers built it${keep()}`, 0)
const missing = missingTools()
if (missing.length > 0)
  end(`${name} must be built from its sources: install ${missing.join(", ")}, then say npm run confluent again`, 1)
build()
if (!loads()) end(`${name} was built, and still does not load: ${whyNotLoaded()}`, 1)
end(`${name} ${version} is usable, built from its sources${keep()}`, 0)

function packageFolder() {
  const from = createRequire(join(root, "test", "brokers", "package.json"))
  try {
    return dirname(from.resolve(`${name}/package.json`))
  } catch {
    if (process.argv.includes("--cached")) process.exit(0)
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

/** In a process of its own, because an addon that does not fit may end the one that loads it. */
function tryToLoad() {
  return spawnSync(process.execPath, ["-e", `require(${JSON.stringify(folder)})`], {
    encoding: "utf8",
    timeout: loadMsMax
  })
}

function loads() {
  return tryToLoad().status === 0
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

/** Puts the addon into the cache, whole or not at all. */
function keep() {
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

function build() {
  const npm = process.env.npm_execpath
  if (npm === undefined) end("run this through npm (npm run confluent), which knows where npm is", 1)
  say(`building ${name} from its sources, once per machine; this takes minutes`)
  const jobs = String(availableParallelism())
  const headers = join(root, "node_modules", `node-${process.platform}-${process.arch}`)
  const env = {
    ...process.env,
    // Links what this machine has instead of fetching OpenSSL and others as sources.
    CKJS_LINKING: "dynamic",
    // The download has been tried.
    npm_config_build_from_source: name,
    JOBS: jobs,
    MAKEFLAGS: `-j${jobs}`,
    ...(existsSync(join(headers, "include")) ? { npm_config_nodedir: headers } : {})
  }
  // The root's package.json denies install scripts; without the flag npm says that it has rebuilt, and does nothing.
  const rebuild = [npm, "rebuild", name, "--dangerously-allow-all-scripts", "--foreground-scripts"]
  const options = { cwd: root, env, encoding: "utf8", timeout: buildMsMax, maxBuffer: 1 << 28 }
  const { status, stdout, stderr } = spawnSync(process.execPath, rebuild, options)
  if (status === 0) return
  const lines = `${stdout}${stderr}`.trimEnd().split("\n")
  const errors = lines.filter((line) => /error/i.test(line)).slice(0, 10)
  process.stderr.write(`${(errors.length > 0 ? errors : lines.slice(-20)).join("\n")}\n`)
  end(`${name} could not be built; the lines above say why`, 1)
}
