import test from 'brittle'
import { WordWrap } from '../../../../helpers/text/word-wrap.js'

/** A text as a terminal of that width gets it, in pieces of that size. */
function wrapped(text: string, columns: number, size = text.length): string {
  const wrap = new WordWrap(() => columns)
  let written = ''
  for (let start = 0; start < text.length; start += size) {
    written += wrap.push(text.slice(start, start + size))
  }
  return written + wrap.end()
}

test('should break lines between words, however the text is cut', (t) => {
  const text = 'The quick brown fox jumps over the lazy dog.'
  const lines = 'The quick brown\nfox jumps over\nthe lazy dog.'
  for (const size of [1, 2, 3, 7, 44]) t.is(wrapped(text, 15, size), lines)
  t.is(wrapped(text, 80), text)
  t.is(wrapped('a b', 10), 'a b')
})

test('should keep line ends, empty lines and indentation', (t) => {
  t.is(wrapped('one\n\n  two\n\tthree four\n', 14, 1), 'one\n\n  two\n\tthree\nfour\n')
  t.is(wrapped('1234567890\n1234567890', 10, 1), '1234567890\n1234567890', 'just as wide')
  t.is(wrapped('1234567890 1', 10, 1), '1234567890\n1')
  t.is(wrapped('end  \nof', 20, 1), 'end  \nof')
})

test('should count the columns of wide and combined characters', (t) => {
  t.is(wrapped('日本語の文章です', 10, 1), '日本語の文\n章です')
  t.is(
    wrapped('日本語の文。章です', 10, 1),
    '日本語の\n文。章です',
    'no line begins with a full stop',
  )
  t.is(wrapped('abcde 👩‍👩‍👧 fghi', 10), 'abcde 👩‍👩‍👧\nfghi')
  t.is(wrapped('cafe\u0301s cafe\u0301', 10, 1), 'cafe\u0301s cafe\u0301')
  const khmer = ['ខ្ញុំ', 'ចង់', 'ទៅ', 'ផ្សារ', 'ខ្ញុំ', 'ចង់']
  t.alike(wrapped(khmer.join('\u200b'), 10).split(/[\u200b\n]/), khmer)
  t.is(wrapped(khmer.join('\u200b'), 10).split('\n').length, 2, 'at a break between words')
})

test('should hold a word back until it ends, but not a long one', (t) => {
  const wrap = new WordWrap(() => 60)
  t.is(wrap.push('Par'), '')
  t.is(wrap.push('is '), 'Paris')
  t.is(wrap.push('is'), '')
  t.is(wrap.end(), ' is')
  const address = `https://example.com/${'x'.repeat(30)}`
  t.is(wrap.push(`see ${address}`), `see ${address}`)
  t.is(wrap.push('yz'), 'yz', 'the rest follows at once')
  t.is(wrap.push('.\n'), '.\n')
  t.is(wrapped(`at ${'x'.repeat(59)} end`, 60), `at\n${'x'.repeat(59)}\nend`)
  t.is(wrapped(`${'x'.repeat(25)} end`, 10), `${'x'.repeat(25)} end`, 'the terminal breaks it')
})

test('should begin a line anew after the end of a text', (t) => {
  const wrap = new WordWrap(() => 10)
  t.is(wrap.push('12345678 ') + wrap.end(), '12345678 ')
  t.is(wrap.push('12345678 ') + wrap.end(), '12345678 ')
})

test('should go by the width that the terminal has at the moment', (t) => {
  let columns: number | undefined = 12
  const wrap = new WordWrap(() => columns)
  t.is(wrap.push('one two three '), 'one two\nthree')
  columns = undefined
  t.is(wrap.push('four'), ' four', 'nothing is held back where no width is known')
  columns = 5
  t.is(wrap.push('five'), 'five')
  columns = 20
  t.is(wrap.push(' six seven '), ' six seven')
})
