//! sansip-host
