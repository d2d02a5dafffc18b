//! datatests of peerscope
