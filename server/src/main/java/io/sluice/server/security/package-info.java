/** Who may do what, until users can be configured: everything, from this machine only. */
@NullMarked
package io.sluice.server.security;

import org.jspecify.annotations.NullMarked;
