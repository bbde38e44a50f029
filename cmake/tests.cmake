# tests/unit/test_X.c and tests/property/prop_X.c are programs of cmocka's, one a module.
# fuzz/fuzz_X.c are libFuzzer targets; without clang's fuzzer each is still built, against
# fuzz/replay.c, and its corpus is a test.
file(GLOB unit_tests CONFIGURE_DEPENDS tests/unit/test_*.c tests/property/prop_*.c)
file(GLOB test_help CONFIGURE_DEPENDS tests/property/tape*.c tests/property/model*.c
     tests/property/check*.c tests/fault/*.c)
# Programs of their own, on a disk in memory and an operating system that lies (tests/fault).
set(proofs crash_matrix sim_engine)
list(FILTER test_help EXCLUDE REGEX "/fault/(crash_matrix|sim_engine|alloc|alloc_engine|calls|lying_files)[.]c$")
if(test_help)
  add_library(mete_test_help STATIC ${test_help})
  target_include_directories(mete_test_help PRIVATE ${CMAKE_SOURCE_DIR}/tests)
endif()
foreach(source ${unit_tests})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  if(TARGET mete_test_help)
    target_link_libraries(${name} mete_test_help)
  endif()
  target_link_libraries(${name} mete_parts cmocka)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
endforeach()

target_link_options(test_upstream_links PRIVATE -Wl,--wrap=getaddrinfo)

foreach(name ${proofs})
  add_executable(${name} tests/fault/${name}.c tests/fault/lying_files.c)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${name} mete_test_help mete_parts)
  foreach(lie os_system db_sync_directory db_make_directory file_create file_open file_close
          file_write file_read file_flush file_rename file_remove file_each)
    target_link_options(${name} PRIVATE -Wl,--wrap=${lie})
  endforeach()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
endforeach()
# A canary ends when it is found; on a slow machine that may take longer than a run should.
add_test(NAME crash_matrix_canary COMMAND crash_matrix --canary --seconds 300)
add_test(NAME sim_engine_canary COMMAND sim_engine --canary)

# Memory that runs out at any point, and calls into SQLite and for files that fail there.
add_executable(alloc_engine tests/fault/alloc_engine.c)
target_include_directories(alloc_engine PRIVATE ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(alloc_engine mete_parts)
foreach(program alloc_engine test_store_calls test_records_calls test_engine_calls)
  target_sources(${program} PRIVATE tests/fault/alloc.c tests/fault/calls.c)
  foreach(name malloc calloc realloc aligned_alloc strdup free mmap munmap pthread_create eventfd
          sqlite3_initialize sqlite3_open_v2 sqlite3_prepare_v2 sqlite3_prepare_v3 sqlite3_step
          sqlite3_reset sqlite3_finalize sqlite3_exec sqlite3_wal_checkpoint_v2 sqlite3_backup_init
          sqlite3_backup_step sqlite3_backup_finish sqlite3_errcode sqlite3_vfs_find
          open read write fsync rename unlink mkdir stat lstat fstat opendir readdir)
    target_link_options(${program} PRIVATE -Wl,--wrap=${name})
  endforeach()
endforeach()
set_target_properties(alloc_engine PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME alloc_engine COMMAND alloc_engine)
add_test(NAME alloc_engine_canary COMMAND alloc_engine --canary --seconds 300)
add_test(NAME alloc_engine_calls COMMAND alloc_engine --calls)
add_test(NAME alloc_engine_calls_canary COMMAND alloc_engine --calls --canary --seconds 300)

# 64 threads on one root.
add_executable(threads tests/proof/threads.c)
target_include_directories(threads PRIVATE ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(threads mete_parts)
set_target_properties(threads PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
if(METE_SANITIZE) # an order of magnitude slower
  add_test(NAME threads COMMAND threads --operations 200000)
else()
  add_test(NAME threads COMMAND threads --operations 1000000)
endif()
add_test(NAME threads_canary COMMAND threads --operations 50000 --canary)

# Arguments that may not be.
add_executable(nonsense tests/proof/nonsense.c)
target_include_directories(nonsense PRIVATE ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(nonsense mete_parts)
set_target_properties(nonsense PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME nonsense COMMAND nonsense --calls 30000)

# Entries and saved states with changed bytes, of journals that model_drive leaves.
add_executable(damage tests/proof/damage.c)
target_include_directories(damage PRIVATE ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(damage mete_parts)
set_target_properties(damage PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME damage COMMAND ${CMAKE_SOURCE_DIR}/tests/proof/damage.sh ${CMAKE_BINARY_DIR}/tests 3)

# tests/calendar/compare.py holds the calendar to Python's zoneinfo: a sample here, --full by hand.
add_executable(calendar_windows tests/calendar/calendar_windows.c)
target_link_libraries(calendar_windows mete_parts)
set_target_properties(calendar_windows PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME calendar_zones
  COMMAND ${CMAKE_SOURCE_DIR}/tests/calendar/compare.py $<TARGET_FILE:calendar_windows>)

file(GLOB fuzz_targets CONFIGURE_DEPENDS fuzz/fuzz_*.c)
foreach(source ${fuzz_targets})
  get_filename_component(name ${source} NAME_WE)
  if(METE_FUZZ)
    add_executable(${name} ${source})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${name} ${source} fuzz/replay.c)
    add_test(NAME ${name} COMMAND ${name} ${CMAKE_SOURCE_DIR}/fuzz/corpus/${name})
  endif()
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  if(TARGET mete_test_help)
    target_link_libraries(${name} mete_test_help)
  endif()
  target_link_libraries(${name} mete_parts)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
endforeach()

# tests/cli/*.sh are given the binary.
file(GLOB cli_tests CONFIGURE_DEPENDS tests/cli/*.sh)
if(TARGET mete)
  foreach(source ${cli_tests})
    get_filename_component(name ${source} NAME_WE)
    add_test(NAME cli_${name} COMMAND ${source} $<TARGET_FILE:mete>)
  endforeach()
endif()

# tests/library/*.sh are given the build directory: the library as those who embed it meet it.
file(GLOB library_tests CONFIGURE_DEPENDS tests/library/*.sh)
if(TARGET libmete)
  foreach(source ${library_tests})
    get_filename_component(name ${source} NAME_WE)
    add_test(NAME library_${name} COMMAND ${source} ${CMAKE_BINARY_DIR})
  endforeach()
endif()

# The proof "model": the engine's side of tests/model/check.mjs.
file(GLOB model_driver CONFIGURE_DEPENDS tests/model/*.c)
add_executable(model_drive ${model_driver})
target_include_directories(model_drive PRIVATE ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(model_drive mete_test_help mete_parts)
set_target_properties(model_drive PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
find_program(NODE node)
if(NODE)
  set(model_check ${NODE} ${CMAKE_SOURCE_DIR}/tests/model/check.mjs --drive $<TARGET_FILE:model_drive>)
  add_test(NAME model COMMAND ${model_check} --ops 100000 --durable 5)
  add_test(NAME model_company COMMAND ${model_check} --company 1 --world-ops 150 --ops 75000)
  add_test(NAME model_canaries COMMAND ${model_check} --canaries 1 --ops 100000)
  add_test(NAME model_planted COMMAND ${NODE} ${CMAKE_SOURCE_DIR}/tests/model/planted.mjs --build ${CMAKE_BINARY_DIR})
endif()

# On two cores the longest of all must not begin last.
foreach(name test_engine_calls test_records_calls model_planted)
  if(TEST ${name})
    set_tests_properties(${name} PROPERTIES COST 1000)
  endif()
endforeach()
