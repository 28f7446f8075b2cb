# The libraries that are installed: all rooms below one room, made into one archive and one shared object.

include_guard(GLOBAL)

# kvs_closure(ROOMS_OUT PACKAGES_OUT ROOM): the room with all rooms below it, and the packages they list.
function(kvs_closure rooms_out packages_out room)
    set(rooms "")
    set(packages "")
    set(todo ${room})
    while(todo)
        list(POP_FRONT todo next)
        if(TARGET kvs_room_${next} AND NOT next IN_LIST rooms)
            list(APPEND rooms ${next})
            get_target_property(below kvs_room_${next} KVS_ROOMS)
            get_target_property(libraries kvs_room_${next} KVS_LIBRARIES)
            list(APPEND todo ${below})
            list(APPEND packages ${libraries})
        endif()
    endwhile()
    list(REMOVE_DUPLICATES packages)
    set(${rooms_out} ${rooms} PARENT_SCOPE)
    set(${packages_out} ${packages} PARENT_SCOPE)
endfunction()

# kvs_archive(NAME PREFIX OBJECTS): lib<NAME>.a with one object, in which only PREFIX* is global and which holds
# machine code only: both gcc and clang link it, whatever their LTO versions.
function(kvs_archive name prefix objects)
    set(work ${PROJECT_BINARY_DIR}/rooms/${name})
    set(archive ${CMAKE_ARCHIVE_OUTPUT_DIRECTORY}/lib${name}.a)
    file(MAKE_DIRECTORY ${work} ${CMAKE_ARCHIVE_OUTPUT_DIRECTORY})
    set(link ${CMAKE_C_COMPILER} -r -nostdlib -o ${work}/all.o @${work}/objects.txt)
    if(KVSTORE_LTO_ON)
        list(INSERT link 1 -flto=auto -O2 -fPIC -flinker-output=nolto-rel)
    endif()
    file(GENERATE OUTPUT ${work}/objects.txt CONTENT "$<JOIN:${objects},\n>\n")
    add_custom_command(OUTPUT ${archive}
        COMMAND ${link}
        COMMAND ${CMAKE_OBJCOPY} --wildcard --localize-hidden --keep-global-symbol=${prefix}* ${work}/all.o ${work}/lib${name}.o
        COMMAND ${CMAKE_COMMAND} -E rm -f ${archive}
        COMMAND ${CMAKE_AR} rcs ${archive} ${work}/lib${name}.o
        DEPENDS ${objects} ${work}/objects.txt
        COMMAND_EXPAND_LISTS VERBATIM
        COMMENT "Archiving lib${name}.a")
    add_custom_target(lib_${name}_static ALL DEPENDS ${archive})
endfunction()

# kvs_library(NAME ROOM PREFIX DESCRIPTION HEADERS): lib<name>.so and lib<name>.a of ROOM and all below it, in which
# what is marked KVS_API and begins with PREFIX is global; installed with HEADERS and <name>.pc.
function(kvs_library)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;ROOM;PREFIX;DESCRIPTION" "HEADERS")
    kvs_check_arguments(kvs_library "${arg_NAME}" "${arg_UNPARSED_ARGUMENTS}")
    if(NOT TARGET kvs_room_${arg_ROOM})
        message(STATUS "Library ${arg_NAME} left out: no room ${arg_ROOM}")
        return()
    endif()
    kvs_closure(rooms packages ${arg_ROOM})
    set(objects "")
    foreach(room IN LISTS rooms)
        get_target_property(type kvs_room_${room} TYPE)
        if(type STREQUAL "STATIC_LIBRARY")
            list(APPEND objects $<TARGET_OBJECTS:kvs_room_${room}>)
        endif()
    endforeach()

    set(script ${PROJECT_BINARY_DIR}/rooms/${arg_NAME}.map)
    file(CONFIGURE OUTPUT ${script} CONTENT "{ global: ${arg_PREFIX}*; local: *; };\n")
    set(target lib_${arg_NAME})
    add_library(${target} SHARED ${objects})
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME ${arg_NAME}
        LINKER_LANGUAGE C
        VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR}
        LINK_DEPENDS ${script})
    target_link_libraries(${target} PRIVATE ${packages} Threads::Threads)
    target_link_options(${target} PRIVATE ${KVSTORE_LTO_LINK_OPTIONS} -Wl,--version-script=${script}
        -Wl,--as-needed)
    if(NOT KVSTORE_SANITIZE)
        # A sanitizer's runtime is in the program, so there its calls stay open.
        target_link_options(${target} PRIVATE -Wl,-z,defs)
    endif()
    kvs_archive(${arg_NAME} ${arg_PREFIX} "${objects}")

    set(headers "")
    foreach(header IN LISTS arg_HEADERS)
        get_filename_component(header ${header} ABSOLUTE)
        list(APPEND headers ${header})
    endforeach()
    set_property(GLOBAL APPEND PROPERTY KVS_LIBRARIES ${arg_NAME})
    set_target_properties(${target} PROPERTIES KVS_HEADERS "${headers}" KVS_PACKAGES "${packages}"
        KVS_DESCRIPTION "${arg_DESCRIPTION}")
endfunction()
