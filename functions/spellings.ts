/** A shorter piece of base64 stands in texts by chance; a credential too short to leave so many is looked for as a whole alone. */
const shortestStem = 8;

/**
 * What base64 makes of the credential alone, whatever stands before and after it in the bytes: a user before a password, a
 * brace before JSON. Three bytes are four characters, so there are three places to begin, and the characters at either
 * end that hold bits of a neighbour belong to none.
 */
function stems(bytes: Buffer): readonly string[] {
  return [0, 1, 2].flatMap((before) => {
    const bits = 8 * (before + bytes.length);
    const whole = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const stem = whole.slice(Math.ceil((8 * before) / 6), Math.floor(bits / 6));
    return stem.length < shortestStem ? [] : [stem];
  });
}

/** The credential alone, padded as it was sent and not, and the stems of texts that it is a part of. */
function base64(credential: string): readonly string[] {
  const bytes = Buffer.from(credential);
  const padded = bytes.toString('base64');
  const forms = [padded, padded.replace(/=+$/u, ''), ...stems(bytes)];
  return [...forms, ...forms.map((form) => form.replaceAll('+', '-').replaceAll('/', '_'))];
}

const lowerCase = (escaped: string): string => escaped.replaceAll(/%[\dA-F]{2}/gu, (each) => each.toLowerCase());

/**
 * As in a URL: `encodeURIComponent`, RFC 3986 with all it reserves, Python's `quote`, which leaves slashes, and forms,
 * where a blank is a plus. Hexadecimal digits in either case, for both are in use.
 */
function inAddresses(credential: string): readonly string[] {
  const component = encodeURIComponent(credential.toWellFormed());
  const reserved = component.replaceAll(/[!'()*]/gu, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
  const forms = [component, reserved, reserved.replaceAll('%2F', '/'), reserved.replaceAll('%20', '+')];
  return [...forms, ...forms.map(lowerCase)];
}

const escaped = (text: string, characters: RegExp): string =>
  text.replaceAll(characters, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`);

/**
 * Inside JSON text: as it has to be, as Go writes it (encoding/json escapes <, >, & and two line ends for HTML: the API
 * server, its webhooks), as Python does (`json.dumps` keeps to ASCII), and each once more, for JSON quoted within JSON.
 */
function inJson(credential: string): readonly string[] {
  const plain = JSON.stringify(credential).slice(1, -1);
  const forms = [plain, escaped(plain, /[<>&\u2028\u2029]/gu), escaped(plain, /[\u007F-\uFFFF]/gu)];
  return [...forms, ...forms.map((form) => JSON.stringify(form).slice(1, -1))];
}

/**
 * A credential as others may repeat it: bare, in base64 and base64url wherever it begins, as in a URL, and inside JSON
 * text. Longest first, so that a part does not stay behind. Of one that is letters and digits most forms are the same.
 */
export function spellings(credential: string): readonly string[] {
  const forms = [credential, ...base64(credential), ...inAddresses(credential), ...inJson(credential)];
  return [...new Set(forms)].filter((form) => form !== '').toSorted((one, other) => other.length - one.length);
}
