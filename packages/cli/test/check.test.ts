import { afterEach, describe, expect, it, vi } from "vitest"
import { Project } from "./Project.js"
import { eventProto, order, payment, shop } from "./protos.js"

afterEach(() => vi.unstubAllEnvs())

const check = ["contracts", "check"]
const against = (revision: string) => [...check, "--against", revision]
const refund = eventProto("Refund", 'stream: "shop.refunds" key: "id" buckets: 8')

/** A repository with the contracts of a shop as its last commit. */
async function repository(files: Readonly<Record<string, string>> = shop): Promise<Project> {
  const project = new Project(files)
  await project.commit()
  return project
}

describe("leat contracts check", () => {
  it("finds nothing in contracts that are in order", async () => {
    using project = new Project(shop)
    expect(await project.leat(check)).toEqual({ code: 0, stdout: "2 contracts, no violations\n", stderr: "" })
    const { code, stdout, stderr, report } = await project.leatJson(check)
    expect([code, stderr, report]).toEqual([0, "", { contracts: 2, violations: [] }])
    expect(stdout.indexOf("\n")).toBe(stdout.length - 1)
    expect(project.files(".")).toHaveLength(2)
  })

  it("finds what buf's linter does, and faults of contracts, in the user's own paths", async () => {
    using project = new Project({
      "api/proto/shop/v1/order.proto": eventProto("order", 'stream: "shop.orders" key: "id"'),
      "api/proto/shop/v1/payment.proto": eventProto("Payment", 'stream: "shop.orders" key: "nope"')
    })
    const { code, stdout, stderr } = await project.leat([...check, "--proto", "api/proto/"])
    expect([code, stdout]).toEqual([3, ""])
    expect(stderr.trimEnd().split("\n")).toEqual([
      "leat: 3 violations:",
      expect.stringMatching(/^api\/proto\/shop\/v1\/order\.proto:7:9:Message name "order" should be PascalCase/),
      "api/proto/shop/v1/payment.proto:7: shop.v1.Payment: the key nope does not exist: shop.v1.Payment has id; name one that it has",
      "api/proto/shop/v1/payment.proto:7: shop.v1.Payment: stream shop.orders belongs to shop.v1.order (api/proto/shop/v1/order.proto:7) already; give each contract a stream of its own"
    ])
  })

  it("fails on files that do not compile, which is no violation", async () => {
    using project = new Project({ ...shop, "proto/shop/v1/bad.proto": 'syntax = "proto3";\nmessage {\n' })
    const { code, report } = await project.leatJson(check)
    const faults = [1, 9].map((column) => expect.stringMatching(`^proto/shop/v1/bad.proto:2:${column}:`))
    expect([code, report]).toEqual([
      1,
      { error: expect.stringContaining("the .proto files do not compile:\nproto/"), faults }
    ])
  })
})

describe("leat contracts check --against", () => {
  it("finds nothing where nothing changed, or what is new breaks nobody", async () => {
    using project = await repository()
    expect((await project.leat(against("HEAD"))).stdout).toBe("2 contracts, no violations\n")
    const more = order
      .replace("string id = 1;", "string id = 1;\n  string note = 2;")
      .replace('key: "id"', 'key: "id" needs: NEED_ORDER')
    project.write({ "proto/shop/v1/order.proto": more, "proto/shop/v1/refund.proto": refund })
    expect((await project.leatJson(against("HEAD"))).report).toEqual({ contracts: 3, violations: [] })
  })

  it("finds every change of what consumers and stored events rely on", async () => {
    using project = await repository({
      ...shop,
      "proto/shop/v1/refund.proto": refund,
      "proto/shop/v1/gone.proto": eventProto("Gone", 'stream: "shop.gone" key: "id"'),
      "proto/shop/v1/plain.proto": eventProto("Plain", 'stream: "shop.plain" key: "id"')
    })
    const twoKeys = "string id = 1;\n  string order_id = 2;"
    project.write({
      "proto/shop/v1/order.proto": eventProto("Order", 'stream: "shop.orders2" unordered: true'),
      "proto/shop/v1/payment.proto": payment
        .replace(" compacted: true", "")
        .replace("string order_id = 1;", "string order_id = 1;\n  string id = 2;")
        .replace('key: "order_id"', 'key: "id"'),
      "proto/shop/v1/refund.proto": eventProto("Refund", 'stream: "shop.refunds" key: "id"', twoKeys),
      "proto/shop/v1/plain.proto": eventProto("Plain", "")
        .replace(/ {2}option .*\n/, "")
        .replace(/import .*\n/, "")
    })
    project.remove("proto/shop/v1/gone.proto")
    const { code, stderr, report } = await project.leatJson(against("HEAD"))
    const ours = [
      "shop.v1.Gone: the contract of stream shop.gone is gone; its consumers would starve, keep it until they are",
      "proto/shop/v1/order.proto:7: shop.v1.Order: the stream changed from shop.orders to shop.orders2; consumers of the old stream would get nothing, make a new contract instead",
      "proto/shop/v1/order.proto:7: shop.v1.Order: the key changed from id to no key; events of one key would lose their order, make a new contract instead",
      "proto/shop/v1/payment.proto:7: shop.v1.Payment: the key changed from order_id to id; events of one key would lose their order, make a new contract instead",
      "proto/shop/v1/payment.proto:7: shop.v1.Payment: `compacted` changed from true to false; stored events would be kept or lost differently, make a new contract instead",
      "shop.v1.Plain: the contract of stream shop.plain is gone; its consumers would starve, keep it until they are",
      "proto/shop/v1/refund.proto:7: shop.v1.Refund: the number of buckets changed from 8 to 3840; sequences are counted per bucket, make a new contract instead"
    ]
    expect(report).toEqual({
      contracts: 3,
      error: expect.stringMatching(/^7 violations:\n/),
      violations: ours
    })
    expect([code, stderr.split("\n")[0]]).toEqual([3, "leat: 7 violations:"])
  })

  it("finds what buf does in the messages", async () => {
    using project = await repository()
    project.write({ "proto/shop/v1/order.proto": order.replace("string id = 1", "string id = 2") })
    const { code, report } = await project.leatJson(against("HEAD"))
    expect(code).toBe(3)
    expect(report).toMatchObject({
      violations: Array(2).fill(
        expect.stringMatching(/^proto\/shop\/v1\/order\.proto:7:1:Previously present field "1"/)
      )
    })
  })

  it("takes any name of a revision, in a folder of the repository, seen from any other", async () => {
    using project = await repository({ "services/a b/proto/shop/v1/order.proto": order, "other/file.txt": "" })
    await project.git("tag", "v1.0")
    project.write({ "services/a b/proto/shop/v1/order.proto": eventProto("Order", 'stream: "shop.new" key: "id"') })
    await project.commit()
    const from = ["--proto", "../services/a b/proto"]
    for (const [revision, code] of [
      ["HEAD", 0],
      ["v1.0", 3],
      ["HEAD~1", 3]
    ] as const) {
      const told = await project.leat([...against(revision), ...from], "other")
      expect([revision, told.code]).toEqual([revision, code])
    }
    const inside = await project.leatJson([...against("v1.0"), "--proto", "."], "services/a b/proto")
    expect(inside.report).toMatchObject({
      violations: [expect.stringContaining("the stream changed from shop.orders to shop.new")]
    })
  })

  it("runs in a hook of git, which names the repository in its environment", async () => {
    using project = await repository()
    vi.stubEnv("GIT_DIR", ".git")
    vi.stubEnv("GIT_WORK_TREE", ".")
    const told = await project.leat(against("HEAD"))
    expect(told).toEqual({ code: 0, stdout: "2 contracts, no violations\n", stderr: "" })
  })

  it("says what it cannot read, in one sentence", async () => {
    using project = await repository({ ...shop, "proto/shop/v1/bad.proto": "syntax = 5;" })
    project.remove("proto/shop/v1/bad.proto")
    project.write({ "new/shop/v1/order.proto": order })
    const cases = [
      [against("nowhere"), "git cannot read nowhere in proto: fatal: Not a valid object name nowhere"],
      [against("HEAD:proto"), "there are no .proto files in proto at HEAD:proto"],
      [[...against("HEAD"), "--proto", "new"], "there are no .proto files in new at HEAD"]
    ] as const
    for (const [args, told] of cases) {
      const { code, stdout, stderr } = await project.leat(args)
      expect([code, stdout]).toEqual([2, ""])
      expect(stderr).toMatch(/^leat: [^\n]+\n$/)
      expect(stderr).toContain(told)
    }
    const broken = await project.leat(against("HEAD"))
    expect([broken.code, broken.stdout]).toEqual([1, ""])
    expect(broken.stderr).toMatch(/^leat: the \.proto files of HEAD do not compile:\nproto\/shop\/v1\/bad\.proto:1:10:/)
    vi.stubEnv("PATH", project.folder)
    const withoutGit = await project.leat(against("HEAD"))
    expect([withoutGit.code, withoutGit.stdout]).toEqual([1, ""])
    expect(withoutGit.stderr).toMatch(
      /^leat: git cannot read HEAD in proto: git did not run \(spawnSync git ENOENT\)\n$/
    )
  })
})
