/** Settings of a broker: YAML file, environment and flags, read and checked in one place. */
@NullMarked
package io.sluice.server.config;

import org.jspecify.annotations.NullMarked;
