import type { JsonObject } from './objects.ts';

/** What kubectl sends for the kinds it has types for (kubernetes 1.35, apimachinery, runtime/serializer/protobuf). */
export const protobufType = 'application/vnd.kubernetes.protobuf';

/** Four bytes before a message that says its own kind. */
const magic = 'k8s\0';

const varint = 0;
const delimited = 2;

/** Reads one number of seven bits a byte; the place behind it, too. */
function readVarint(bytes: Buffer, start: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let at = start, factor = 1; at < bytes.length; at += 1, factor *= 128) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * factor;
    if (byte < 128) return { value, end: at + 1 };
  }
  throw new RangeError('the number does not end');
}

/** The texts and messages of a message, by field number. Numbers are passed over; there is nothing else in a review. */
function fieldsOf(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const fields = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length;) {
    const tag = readVarint(bytes, at);
    const type = tag.value & 7;
    const next = readVarint(bytes, tag.end);
    if (type !== varint && type !== delimited) throw new RangeError(`wire type ${type}`);
    at = type === varint ? next.end : next.end + next.value;
    if (at > bytes.length) throw new RangeError('a field does not end');
    if (type === delimited) fields.set(Math.trunc(tag.value / 8), bytes.subarray(next.end, at));
  }
  return fields;
}

/** Field numbers of ResourceAttributes (kubernetes 1.35, api/authorization/v1/generated.proto). */
const attributeFields = ['namespace', 'verb', 'group', 'version', 'resource', 'subresource', 'name'] as const;

const inside = (bytes: Buffer | undefined): ReadonlyMap<number, Buffer> => fieldsOf(bytes ?? Buffer.alloc(0));

/**
 * The `spec` of a SelfSubjectAccessReview in protobuf. Null: it cannot be read.
 *
 * @param body the bytes of the request as latin1
 */
export function reviewSpecOf(body: string): JsonObject | null {
  if (!body.startsWith(magic)) return null;
  try {
    const review = inside(inside(Buffer.from(body.slice(magic.length), 'latin1')).get(2));
    const attributes = inside(review.get(2)).get(1);
    if (attributes === undefined) return {};
    const fields = fieldsOf(attributes);
    const named = attributeFields.map((name, index) => [name, fields.get(index + 1)?.toString() ?? ''] as const);
    return { resourceAttributes: Object.fromEntries(named) };
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
