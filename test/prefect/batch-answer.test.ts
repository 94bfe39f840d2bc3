import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { readAnswers, type OperationAnswer } from '../../functions/prefect/batch-answer.ts';

interface Answered {
  readonly status?: number;
  readonly contentType?: string;
  readonly body: unknown;
}

/** What a batch of two operations reads in it. */
const read = ({ status = 200, contentType = 'application/json', body }: Answered) =>
  readAnswers({ status, contentType, text: JSON.stringify(body) }, 2);

const fine = { data: { n: 1 } };
const error = { message: 'no', extensions: { code: 'BAD' } };
const problem = { message: 'no', code: 'BAD' };
const read1: OperationAnswer = { data: { n: 1 }, problems: [] };
const rejected: OperationAnswer = { data: null, problems: [problem] };

describe('readAnswers', () => {
  const readable: Readonly<Record<string, { answer: Answered; want: readonly OperationAnswer[] }>> = {
    'one answer an operation, in order': {
      answer: { body: [fine, { data: { n: 2 } }] },
      want: [read1, { data: { n: 2 }, problems: [] }],
    },
    'the media type of GraphQL over HTTP': {
      answer: { contentType: 'application/graphql-response+json; charset=utf-8', body: [fine, fine] },
      want: [read1, read1],
    },
    'a media type in capitals': {
      answer: { contentType: 'Application/JSON;charset=UTF-8', body: [fine, fine] },
      want: [read1, read1],
    },
    'any status that says success': { answer: { status: 201, body: [fine, fine] }, want: [read1, read1] },
    'extensions beside the data': {
      answer: { body: [fine, { ...fine, extensions: { ms: 3 } }] },
      want: [read1, read1],
    },
    'errors in place of data, and beside it': {
      answer: { body: [{ errors: [error] }, { data: { n: 1 }, errors: [error] }] },
      want: [rejected, { data: { n: 1 }, problems: [problem] }],
    },
    'an error without its list': { answer: { body: [fine, { data: null, errors: error }] }, want: [read1, rejected] },
    'errors that say nothing': {
      answer: { body: [{ errors: [null, { message: 7, extensions: [] }] }, { errors: [{}] }] },
      want: [
        {
          data: null,
          problems: [
            { message: '', code: '' },
            { message: '', code: '' },
          ],
        },
        { data: null, problems: [{ message: '', code: '' }] },
      ],
    },
    'an operation that answers nothing': { answer: { body: [{}, fine] }, want: [{ data: null, problems: [] }, read1] },
    'a rejection of the batch as that of each operation': {
      answer: { status: 400, body: { errors: [error] } },
      want: [rejected, rejected],
    },
    'a rejection with one error, and data that is none': {
      answer: { status: 429, body: { data: null, errors: error } },
      want: [rejected, rejected],
    },
  };
  for (const [name, { answer, want }] of Object.entries(readable)) {
    it(`reads ${name}`, () => {
      assert.deepEqual(read(answer), want);
    });
  }

  const unreadable: Readonly<Record<string, Answered>> = {
    'too few answers': { body: [fine] },
    'too many answers': { body: [fine, fine, fine] },
    'one object with data': { body: fine },
    'one object with errors under a status of success': { body: { errors: [error] } },
    'a text': { body: 'fine' },
    'nothing in place of an answer': { body: [fine, null] },
    'a text in place of an answer': { body: ['fine', fine] },
    'data that is no object': { body: [fine, { data: [] }] },
    'errors that are none': { body: [fine, { data: null, errors: 'no' }] },
    'errors that are null': { body: [fine, { data: { n: 1 }, errors: null }] },
    'extensions that are none': { body: [fine, { data: { n: 1 }, extensions: null }] },
    'JSON of another media type': { contentType: 'application/problem+json', body: [fine, fine] },
    'JSON of no media type': { contentType: '', body: [fine, fine] },
    'answers under a status of failure': { status: 400, body: [fine, { errors: [error] }] },
    'a rejection that names no error': { status: 400, body: { errors: [] } },
    'a rejection in words of its own': { status: 404, body: { error: 'no such place' } },
    'a rejection with data that is no object': { status: 400, body: { data: 1, errors: [error] } },
  };
  for (const [name, answer] of Object.entries(unreadable)) {
    it(`does not take ${name} for an answer`, () => {
      assert.equal(read(answer), null);
    });
  }

  it('throws on what is no JSON', () => {
    for (const status of [200, 400]) {
      assert.throws(() => readAnswers({ status, contentType: 'application/json', text: '[{"da' }, 1), SyntaxError);
    }
  });
});
