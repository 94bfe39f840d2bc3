'use strict';

const { createHash } = require('node:crypto');
const { readFile } = require('node:fs/promises');
const path = require('node:path');

/**
 * Serverless plugin: says of each zip which bytes it has, in the spelling in which Lambda tells its `CodeSha256`. Two
 * packages of one commit have the same.
 */
class Checksums {
  constructor({ service, serviceDir }, _options, { log }) {
    this.service = service;
    this.serviceDir = serviceDir;
    this.log = log;
    this.hooks = { 'after:package:createDeploymentArtifacts': () => this.print() };
  }

  async print() {
    for (const [name, { package: packaged }] of Object.entries(this.service.functions)) {
      const zip = await readFile(path.resolve(this.serviceDir, packaged.artifact));
      const sha256 = createHash('sha256').update(zip).digest('base64');
      this.log.notice(`${name}: ${zip.length} bytes, CodeSha256 ${sha256}`);
    }
  }
}

module.exports = Checksums;
