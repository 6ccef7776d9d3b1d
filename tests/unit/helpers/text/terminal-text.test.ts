import test from 'brittle'
import {
  SafeTextPieces,
  safeJson,
  safeLine,
  safeText,
} from '../../../../helpers/text/terminal-text.js'

/** Texts that a terminal would act on, and how they may be shown in one line. */
const UNSAFE: readonly (readonly [name: string, text: string, shown: string])[] = [
  ['a colour', 'a\u001b[31mb', 'a\\x1b[31mb'],
  ['a title', '\u001b]0;x\u0007', '\\x1b]0;x\\x07'],
  ['a C1 control', 'a\u009b31mb\u0090', 'a\\x9b31mb\\x90'],
  ['a backspace and DEL', 'a\bb\u007f', 'a\\x08b\\x7f'],
  ['NUL', '\u0000', '\\x00'],
  ['a bidirectional override', 'user\u202egpj.exe', 'user\\u{202e}gpj.exe'],
  ['an isolate', '\u2066a\u2069', '\\u{2066}a\\u{2069}'],
  ['a byte order mark', '\ufeffa', '\\u{feff}a'],
  ['a tag character', 'a\u{e0041}', 'a\\u{e0041}'],
  ['a line separator', 'a\u2028b\u2029', 'a\\u{2028}b\\u{2029}'],
  ['lone surrogates', 'a\ud83db\udc4b', 'a\ufffdb\ufffd'],
]

test('should show an escape in place of what a terminal acts on', (t) => {
  for (const [name, text, shown] of UNSAFE) {
    t.is(safeLine(text), shown, name)
    t.is(safeText(text), shown, `${name}, in a text`)
  }
})

test('should keep a line one line, and the lines of a text', (t) => {
  t.is(safeLine('a\nb\r\nc\td'), 'a\\nb\\r\\nc\\td')
  t.is(safeText('a\nb\r\nc\td'), 'a\nb\nc\td')
  t.is(safeText('10 %\r20 %'), '10 %\\r20 %', 'a CR alone would overwrite the line')
})

test('should leave what people write as it is', (t) => {
  const texts = [
    '',
    'plain \\x1b',
    'café ☕',
    '你好',
    'שלום',
    '\u0600\u0661',
    'Ελλάδα',
    '👋🏽',
    'e\u0301',
  ]
  for (const text of texts) t.is(safeLine(text), text)
  const prose = '👩\u200d👩\u200d👧 می\u200cخواهم ខ្ញុំ\u200bចង់ a\u00adb \u200fא'
  t.is(safeText(prose), prose)
  t.is(safeLine('gpt\u200b-4'), 'gpt\\u{200b}-4', 'a name that only looks like another')
})

test('should write JSON that parses to the same and holds no control character', (t) => {
  const value = { text: UNSAFE.map(([, text]) => text).join('\n\t\r\n'), '\u009b': ['\u202e'] }
  const json = safeJson(value)
  t.alike(JSON.parse(json), value)
  t.absent(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(json))
})

test('should decide on the whole when a text arrives in pieces', (t) => {
  const pieces = new SafeTextPieces()
  t.is(pieces.push('a\r'), 'a')
  t.is(pieces.push('\nb\u001b'), '\nb\\x1b')
  t.is(pieces.push('[31m'), '[31m')
  t.is(pieces.push('\ud83d'), '')
  t.is(pieces.push('\udc4b'), '👋')
  t.is(pieces.push('x\r'), 'x')
  t.is(pieces.end(), '\\r')
  t.is(pieces.push('\ud83d'), '')
  t.is(pieces.end(), '\ufffd')
  t.is(pieces.end(), '')
})
