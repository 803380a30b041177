//! A sans-IO Model Context Protocol core and the Atoms tools.
