using Virtigo.Machines;

namespace Virtigo.Profiles;

/// <summary>
/// Runs a shell command in a guest, as root, and gives its result whatever its exit code: <see cref="Machine.ExecuteAsync(string, CommandOptions, CancellationToken)"/>
/// of a machine, or the like of one that another process keeps.
/// </summary>
/// <param name="command">For <c>/bin/sh -c</c>.</param>
/// <param name="options">How it runs.</param>
/// <param name="cancellationToken">Kills the command.</param>
public delegate Task<CommandResult> GuestCommand(string command, CommandOptions options, CancellationToken cancellationToken);

/// <summary>Another machine on a network of the guest's, that it can be measured against.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Address">Its IPv4 address on that network.</param>
/// <param name="GuestAddress">The guest's own IPv4 address on that network.</param>
/// <param name="Run">Runs commands in it.</param>
public sealed record ProfilePeer(string Name, string Address, string GuestAddress, GuestCommand Run);
