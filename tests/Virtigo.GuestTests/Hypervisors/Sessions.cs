using System.Globalization;

namespace Virtigo.GuestTests.Hypervisors;

/// <summary>Processes by their session: a hypervisor's has one of its own, whatever becomes of its first process.</summary>
internal static class Sessions
{
    /// <summary>The processes of a session that are alive.</summary>
    public static List<int> Of(int session)
    {
        var found = new List<int>();
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            try
            {
                if (int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out int id))
                {
                    // After the name, which may hold anything: state, parent, group, session.
                    string[] fields = File.ReadAllText(folder + "/stat").Split(')')[^1].Split(' ');
                    if (fields[1] is not ("Z" or "X") && int.Parse(fields[4], CultureInfo.InvariantCulture) == session)
                    {
                        found.Add(id);
                    }
                }
            }
            catch (IOException)
            {
                // It has ended.
            }
        }

        return found;
    }
}
