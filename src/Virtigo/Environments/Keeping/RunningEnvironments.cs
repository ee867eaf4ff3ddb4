using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Virtigo.Host;

namespace Virtigo.Environments;

/// <summary>
/// The environments of this user that are kept running, by <c>virtigo up</c> or by a program. Those whose keeper was killed are cleared
/// away by whoever looks.
/// </summary>
/// <param name="paths">Virtigo's directories.</param>
public sealed class RunningEnvironments(HostPaths paths)
{
    private const int LongestName = 60;
    private const int MaxInfoBytes = 256 << 10;
    private const int MaxOfOneName = 1000;

    private string Folder => Path.Combine(paths.Runtime, "up");

    /// <summary>All of them, by name.</summary>
    /// <param name="cancellationToken">Ends the wait for others who look.</param>
    public async Task<IReadOnlyList<RunningEnvironment>> ListAsync(CancellationToken cancellationToken)
    {
        if (!Directory.Exists(Folder))
        {
            return [];
        }

        using FileLock turn = await TurnAsync(cancellationToken);
        return Living();
    }

    /// <summary>One of them.</summary>
    /// <param name="name">Its name; null for the only one there is.</param>
    /// <param name="cancellationToken">Ends the wait for others who look.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when there is none of the name, or the name must be given.</exception>
    public async Task<RunningEnvironment> FindAsync(string? name, CancellationToken cancellationToken)
    {
        IReadOnlyList<RunningEnvironment> all = await ListAsync(cancellationToken);
        return (name, all) switch
        {
            (null, [RunningEnvironment only]) => only,
            (_, []) => throw NothingRuns(name),
            (null, _) => throw new VirtigoException(FailureKind.Usage, $"Several environments are up: {Names(all)}.", "Say which one is meant."),
            _ => all.FirstOrDefault(one => one.Name == name) ?? throw Unknown(name, all),
        };
    }

    /// <summary>A machine of one of them.</summary>
    /// <param name="target"><c>environment/machine</c>, or the machine alone when only one environment that is up has it.</param>
    /// <param name="cancellationToken">Ends the wait for others who look.</param>
    /// <returns>The environment and the name of the machine, which it has.</returns>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when there is no such machine, or several are meant.</exception>
    public async Task<(RunningEnvironment Environment, string Machine)> FindMachineAsync(string target, CancellationToken cancellationToken)
    {
        if (target.Split('/') is [string of, string machine])
        {
            RunningEnvironment environment = await FindAsync(of, cancellationToken);
            return environment.MachineNames.Contains(machine)
                ? (environment, machine)
                : throw NoMachine(machine, environment.Name, environment.MachineNames);
        }

        IReadOnlyList<RunningEnvironment> all = await ListAsync(cancellationToken);
        RunningEnvironment[] having = [.. all.Where(one => one.MachineNames.Contains(target))];
        return having switch
        {
            [RunningEnvironment only] => (only, target),
            [] when all is [] => throw NothingRuns(null),
            [] when all.Any(one => one.Name == target) => throw new VirtigoException(FailureKind.Usage, $"{target} is an environment, not a machine.",
                $"Its machines: {string.Join(", ", all.First(one => one.Name == target).MachineNames.Select(name => $"{target}/{name}"))}."),
            [] => throw NoMachine(target, Names(all), all.SelectMany(one => one.MachineNames)),
            _ => throw new VirtigoException(FailureKind.Usage, $"Several environments that are up have a machine {target}.",
                $"Say which one is meant: {string.Join(", ", having.Select(one => $"{one.Name}/{target}"))}."),
        };
    }

    /// <summary>A name for an environment that follows from its file: the file's own, without what a name cannot have.</summary>
    internal static string NameFor(string file)
    {
        string stem = Path.GetFileNameWithoutExtension(file);
        string name = string.Concat(stem.Select(letter => IsLetter(letter) ? letter : '-')).Trim('-', '.');
        return name.Length == 0 ? "environment" : name[..Math.Min(name.Length, LongestName)];
    }

    /// <summary>Takes a name for an environment of this process.</summary>
    /// <param name="name">The name.</param>
    /// <param name="exact">Only this name will do; otherwise <c>-2</c>, <c>-3</c> and so on is appended to one that is taken.</param>
    /// <param name="cancellationToken">Ends the wait for others who look.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when the name is taken or is none.</exception>
    internal async Task<KeptPlace> ClaimAsync(string name, bool exact, CancellationToken cancellationToken)
    {
        if (name.Length is 0 or > LongestName || !name.All(IsLetter) || !char.IsAsciiLetterOrDigit(name[0]))
        {
            throw new VirtigoException(FailureKind.Usage, $"\"{name}\" is no name of an environment.",
                $"Use 1 to {LongestName} letters, digits, hyphens, underscores and dots, the first a letter or digit.");
        }

        SocketFolder.EnsureBase(paths);
        using FileLock turn = await TurnAsync(cancellationToken);
        Living();
        for (int number = 1; number <= MaxOfOneName; number++)
        {
            string candidate = number == 1 ? name : FormattableString.Invariant($"{name}-{number}");
            if (KeptPlace.TryTake(FolderOf(candidate), candidate, TurnAsync) is { } place)
            {
                return place;
            }

            if (exact)
            {
                throw new VirtigoException(FailureKind.Usage, $"An environment {name} is up already.", $"Choose another --name, or end it: virtigo down {name}");
            }
        }

        throw new VirtigoException(FailureKind.Usage, $"{MaxOfOneName} environments {name} are up.", "End some of them: virtigo down --all");
    }

    private static bool IsLetter(char letter) => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.';

    private static string Names(IEnumerable<RunningEnvironment> all) => string.Join(", ", all.Select(one => one.Name));

    private static VirtigoException NothingRuns(string? name) =>
        new(FailureKind.Usage, name is null ? "No environment is up." : $"There is no environment {name}: none is up.", "Start one: virtigo up FILE");

    private static VirtigoException Unknown(string name, IReadOnlyList<RunningEnvironment> all) =>
        new(FailureKind.Usage, $"There is no environment {name}{Suggest(name, all.Select(one => one.Name))}", $"Those that are up: {Names(all)}.");

    private static VirtigoException NoMachine(string machine, string where, IEnumerable<string> names)
    {
        string[] distinct = [.. names.Distinct()];
        return new(FailureKind.Usage, $"There is no machine {machine} in {where}{Suggest(machine, distinct)}", $"Machines: {string.Join(", ", distinct)}.");
    }

    private static string Suggest(string word, IEnumerable<string> names) =>
        NearMatches.Of(word, names) is [string near, ..] ? $"; did you mean {near}?" : ".";

    // Not the name itself: the path of a unix socket must be short.
    private string FolderOf(string name) =>
        Path.Combine(Folder, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)))[..8]);

    /// <summary>Whoever looks at the folder or changes it waits for the others: it takes milliseconds.</summary>
    private Task<FileLock> TurnAsync(CancellationToken cancellationToken) => FileLock.AcquireAsync(Path.Combine(Folder, "lock"), null, cancellationToken);

    /// <summary>Those that run; the others are cleared away. Only in turn.</summary>
    private List<RunningEnvironment> Living()
    {
        var living = new List<RunningEnvironment>();
        bool swept = false;
        foreach (string folder in Directory.EnumerateDirectories(Folder).ToArray())
        {
            if (KeptPlace.RemoveAbandoned(folder))
            {
                swept = true;
            }
            else if (Info(folder) is { } info)
            {
                living.Add(new RunningEnvironment(info, folder));
            }
        }

        if (swept)
        {
            SocketFolder.Sweep(paths);
            WorkFolder.Sweep(paths);
        }

        living.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        return living;
    }

    /// <summary>What a folder says; null while its environment is not ready yet.</summary>
    private static KeptInfo? Info(string folder)
    {
        try
        {
            var file = new FileInfo(Path.Combine(folder, KeptPlace.InfoFile));
            return file is { Exists: true, Length: <= MaxInfoBytes }
                ? JsonSerializer.Deserialize(File.ReadAllBytes(file.FullName), ControlJson.Default.KeptInfo)
                : null;
        }
        catch (Exception error) when (error is IOException or JsonException)
        {
            return null;
        }
    }
}
