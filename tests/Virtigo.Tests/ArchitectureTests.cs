using System.Text.RegularExpressions;
using Xunit;

namespace Virtigo.Tests;

public sealed partial class ArchitectureTests
{
    private const int MaxLines = 500;

    /// <summary>Each room and those it may know. Host and the root namespace are known to all.</summary>
    private static readonly Dictionary<string, string[]> s_mayKnow = new()
    {
        ["Host"] = [],
        ["Archives"] = [],
        ["Images"] = [],
        ["Hypervisors"] = [],
        ["Networks"] = ["Hypervisors"],
        ["Machines"] = ["Archives", "Images", "Hypervisors"],
        ["Installers"] = ["Archives", "Images", "Hypervisors", "Networks", "Machines"],
        ["Appliances"] = ["Archives", "Images", "Hypervisors", "Networks", "Machines", "Installers", "Profiles"],
        ["Profiles"] = ["Machines"],
        ["Environments"] = ["Archives", "Images", "Hypervisors", "Networks", "Machines", "Appliances", "Profiles"],
        ["Testing"] = ["Images", "Hypervisors", "Networks", "Machines", "Appliances", "Environments"],
    };

    // Written in halves, so that this file passes its own test.
    private static readonly string[] s_banned =
    [
        "TO" + "DO", "FIX" + "ME", "HA" + "CK:", "NotImplemented" + "Exception", "Thread." + "Sleep", "DateTime." + "Now", "DateTime." + "UtcNow",
        "deb.debian" + ".org", "security.debian" + ".org", "ftp.debian" + ".org",
    ];

    private static IEnumerable<string> Sources(params string[] folders) =>
        folders.Select(folder => Path.Combine(Repository.Root, folder)).Where(Directory.Exists)
            .SelectMany(folder => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal) && !file.Contains("/bin/", StringComparison.Ordinal));

    private static string Short(string file) => Path.GetRelativePath(Repository.Root, file);

    [Fact]
    public void Rooms_know_each_other_one_way_only()
    {
        string library = Path.Combine(Repository.Root, "src", "Virtigo");
        IEnumerable<string> wrong =
            from file in Sources("src/Virtigo").Where(file => file.EndsWith(".cs", StringComparison.Ordinal))
            let room = Path.GetRelativePath(library, file).Split('/')[0]
            where s_mayKnow.ContainsKey(room)
            from Match match in RoomName().Matches(File.ReadAllText(file))
            let other = match.Groups[1].Value
            where s_mayKnow.ContainsKey(other) && other != room && other != "Host" && !s_mayKnow[room].Contains(other)
            select $"{Short(file)} knows {other}";
        Assert.Empty(wrong.Distinct());
    }

    [Fact]
    public void Every_folder_of_the_library_is_a_known_room_and_the_namespace_of_its_files()
    {
        string library = Path.Combine(Repository.Root, "src", "Virtigo");
        foreach (string file in Sources("src/Virtigo").Where(file => file.EndsWith(".cs", StringComparison.Ordinal)))
        {
            string[] folders = Path.GetRelativePath(library, Path.GetDirectoryName(file)!).Split('/');
            if (folders[0] != ".")
            {
                Assert.Contains(folders[0], s_mayKnow.Keys);
                Assert.Contains($"namespace Virtigo.{folders[0]}", File.ReadAllText(file));
            }
        }
    }

    [Fact]
    public void Only_the_library_is_known_to_the_command_and_nothing_knows_the_command()
    {
        Assert.DoesNotContain(Sources("src/Virtigo").Where(file => file.EndsWith(".cs", StringComparison.Ordinal)),
            file => File.ReadAllText(file).Contains("Virtigo.Cli", StringComparison.Ordinal));
    }

    [Fact]
    public void Files_are_short_enough_to_read() =>
        Assert.Empty(Sources("src", "tests", "bench").Where(file => file.EndsWith(".cs", StringComparison.Ordinal))
            .Select(file => (file, lines: File.ReadLines(file).Count())).Where(pair => pair.lines > MaxLines)
            .Select(pair => $"{Short(pair.file)} has {pair.lines} lines"));

    [Fact]
    public void Nothing_unfinished_banned_or_tied_to_one_mirror_is_in_the_sources()
    {
        IEnumerable<string> wrong =
            from file in Sources("src", "tests", "bench", "docs", "examples", "scripts")
            where Path.GetExtension(file) is ".cs" or ".md" or ".sh" or ".yml" or ".csproj" or ""
            let text = File.ReadAllText(file)
            from word in s_banned
            where text.Contains(word, StringComparison.Ordinal)
            select $"{Short(file)} contains {word}";
        Assert.Empty(wrong);
    }

    [GeneratedRegex(@"\bVirtigo\.([A-Z][a-z]+)\b", RegexOptions.CultureInvariant)]
    private static partial Regex RoomName();
}
