namespace Virtigo.Images;

/// <summary>Paths within a guest's file system, followed as its own kernel does, and never out of it.</summary>
internal static class GuestPath
{
    // As many as Linux follows.
    private const int MostLinks = 40;

    /// <summary>The names that a path has, in order, without those that stay where they are.</summary>
    public static IEnumerable<string> Names(string path) => path.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(name => name != ".");

    /// <summary>What a path leads to, symbolic links followed, the last name's too; null when it leads nowhere, or over too many links.</summary>
    /// <typeparam name="T">What a path leads over.</typeparam>
    /// <param name="root">Where absolute paths begin, and above which there is nothing.</param>
    /// <param name="path">The path, from the root.</param>
    /// <param name="below">What has a name in a directory; null when nothing has, or it is no directory.</param>
    /// <param name="target">The target of a symbolic link; null for anything else.</param>
    public static T? Follow<T>(T root, string path, Func<T, string, T?> below, Func<T, string?> target)
        where T : class
    {
        var todo = new Stack<string>(Names(path).Reverse());
        var at = new Stack<T>([root]);
        int links = 0;
        while (todo.TryPop(out string? name))
        {
            if (name == "..")
            {
                Leave(1);
                continue;
            }

            if (below(at.Peek(), name) is not { } next)
            {
                return null;
            }

            if (target(next) is not { } link)
            {
                at.Push(next);
                continue;
            }

            if (++links > MostLinks)
            {
                return null;
            }

            if (link.StartsWith('/'))
            {
                Leave(at.Count);
            }

            foreach (string part in Names(link).Reverse())
            {
                todo.Push(part);
            }
        }

        return at.Peek();

        void Leave(int directories)
        {
            for (; directories > 0 && at.Count > 1; directories--)
            {
                at.Pop();
            }
        }
    }
}
