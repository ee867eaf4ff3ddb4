using Virtigo.Host;

namespace Virtigo.Appliances;

/// <summary>What a signed archive says a suite is.</summary>
/// <param name="Codename">The release's codename.</param>
/// <param name="Version">The release's version with its point release, or null for a suite without one.</param>
/// <param name="Suite">The suite's name now, such as <c>stable</c>.</param>
public sealed record ResolvedRelease(string Codename, string? Version, string Suite);

/// <summary>Asks a verified archive which release a suite is now.</summary>
/// <param name="mirrors">The same archive at one or more places, in order of preference.</param>
/// <param name="suite">The suite's name.</param>
/// <param name="cancellationToken">Ends the request.</param>
public delegate Task<ResolvedRelease> ReleaseResolver(IReadOnlyList<Uri> mirrors, string suite, CancellationToken cancellationToken);

/// <summary>An archive the host itself uses.</summary>
/// <param name="Uri">The base of the archive.</param>
/// <param name="Place">Where the host says so, as <c>file:line</c>.</param>
public sealed record HostMirror(Uri Uri, string Place);

/// <summary>What planning may ask the host and the archive.</summary>
public sealed record PlannerEnvironment
{
    /// <summary>Virtigo's directories: the user's configuration is read, the user's secret kept there.</summary>
    public required HostPaths Paths { get; init; }

    /// <summary>Resolves a suite's name into a codename.</summary>
    public required ReleaseResolver ResolveRelease { get; init; }

    /// <summary>The Debian archive of the host's own apt sources, or null.</summary>
    public Func<HostMirror?> FindHostMirror { get; init; } = () => null;

    /// <summary>The archive of Debian security updates of the host's own apt sources, or null.</summary>
    public Func<HostMirror?> FindHostSecurityMirror { get; init; } = () => null;

    /// <summary>The folder with the user's own ssh keys.</summary>
    public string SshDirectory { get; init; } =
        Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".ssh");

    /// <summary>The host's time zone database, used to tell misspelt zones; need not exist.</summary>
    public string ZoneInfoDirectory { get; init; } = "/usr/share/zoneinfo";

    /// <summary>The value of a variable of the caller's environment, for <c>env:</c>, or null.</summary>
    internal Func<string, string?> Variable { get; init; } = Environment.GetEnvironmentVariable;

    /// <summary>Asks the person at the terminal for a password, for <c>prompt:</c>; null: there is no terminal.</summary>
    internal Func<string, CancellationToken, Task<string?>> Ask { get; init; } = TerminalPrompt.AskAsync;

    /// <summary>The public keys that the person's ssh-agent holds.</summary>
    internal Func<CancellationToken, Task<IReadOnlyList<string>>> AgentKeys { get; init; } = OwnSshKeys.OfAgentAsync;
}
