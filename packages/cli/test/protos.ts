/** An event of one package in a file of its own, with whatever option and fields. */
export function eventProto(name: string, option: string, fields = "string id = 1;"): string {
  return `syntax = "proto3";

package shop.v1;

import "leat/v1/event.proto";

message ${name} {
  option (leat.v1.event) = {${option}};

  ${fields}
}
`
}

export const order = eventProto("Order", 'stream: "shop.orders" key: "id"')
export const payment = eventProto(
  "Payment",
  'stream: "shop.payments" key: "order_id" compacted: true',
  "string order_id = 1;"
)

/** A folder with two contracts and nothing else. */
export const shop = { "proto/shop/v1/order.proto": order, "proto/shop/v1/payment.proto": payment }
