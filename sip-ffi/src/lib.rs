//! sansip-ffi
